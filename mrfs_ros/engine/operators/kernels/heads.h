// The ends of the network: mixing of upsampled scales, labels, fused image.
#pragma once

#include "maps.h"
#include "multiply.h"

constexpr int kFusionWidth = 16;  // channels of the fusion head

// A coarse map with the coordinates of its upsampling to height x width.
struct Upsampled {
  Map map;
  Axis rows, columns;

  Upsampled(const Map& m, int height, int width) : map(m), rows(m.height, height), columns(m.width, width) {}
};

// relu(rows of the finest scale times weights + upsampled coarse scales).
struct MixedScales {
  const float* finest;
  Weights scale;
  const std::vector<Upsampled>& coarse;
  int height, width;

  const float* operator()(long first, int count, float* rows) const {
    const int channels = scale.outputs;
    multiply(finest + first * scale.inputs, scale.inputs, count, scale, {rows, channels});
    for (int r = 0; r < count; ++r) add_coarse(first + r, rows + static_cast<long>(r) * channels);
    return rows;
  }

 private:
  void add_coarse(long pixel, float* row) const {
    const long b = pixel / (height * width);
    const int y = static_cast<int>(pixel / width % height), x = static_cast<int>(pixel % width);
    const float* corners[12];
    float shares[12];
    int count = 0;
    for (const Upsampled& up : coarse)
      for (int corner = 0; corner < 4; ++corner) {
        const bool lower = corner / 2, right = corner % 2;
        corners[count] = up.map.at(b, (lower ? up.rows.second : up.rows.first)[y],
                                   (right ? up.columns.second : up.columns.first)[x]);
        const float down = up.rows.share[y], across = up.columns.share[x];
        shares[count++] = (lower ? down : 1 - down) * (right ? across : 1 - across);
      }
    for (int c = 0; c < scale.outputs; c += kLanes) {
      Vec total = load(row + c);
      for (int i = 0; i < count; ++i) total += load(corners[i] + c) * shares[i];
      store(row + c, larger(total, Vec{}));
    }
  }
};

// Class of the highest upsampled logit for one output row. lines: room for classes * logits.width + 2 * width.
inline void label_row(const Map& logits, long b, int y, const Axis& rows, const Axis& columns, int width, float* lines,
                      uint8_t* out) {
  const int small = logits.width, classes = logits.channels;
  float* best = lines + static_cast<long>(classes) * small;
  float* winner = best + width;
  const float *upper = logits.at(b, rows.first[y], 0), *lower = logits.at(b, rows.second[y], 0);
  for (int x = 0; x < small; ++x)
    for (int c = 0; c < classes; ++c) {
      const float value = upper[x * classes + c];
      lines[static_cast<long>(c) * small + x] = value + (lower[x * classes + c] - value) * rows.share[y];
    }
  const int *first = columns.first.data(), *second = columns.second.data();
  const float* share = columns.share.data();
  for (int c = 0; c < classes; ++c) {
    const float* line = lines + static_cast<long>(c) * small;
    for (int x = 0; x < width; ++x) {
      const float value = line[first[x]] + (line[second[x]] - line[first[x]]) * share[x];
      const bool wins = c == 0 || value > best[x];
      best[x] = wins ? value : best[x];
      winner[x] = wins ? static_cast<float>(c) : winner[x];
    }
  }
  for (int x = 0; x < width; ++x) out[x] = static_cast<uint8_t>(winner[x]);
}

struct FusionWeights {
  Weights images;  // the 3x3 kernel on both images: 3 columns * 3 rows * (r, g, b, thermal) to 16
  Weights last;    // 16 to 3
};

// One row of the fused image: each scale's taps are interpolated down the columns and summed over the three taps of a
// column, then along the row; the images' own taps are added; rows and columns beyond the image count as zeros.
class FusedRow {
 public:
  FusedRow(const std::vector<Upsampled>& scales, const Map& rgb, const Map& thermal, const FusionWeights& weights)
      : scales_(scales), rgb_(rgb), thermal_(thermal), weights_(weights) {
    for (const Upsampled& up : scales_) corners_.push_back(corners_of(up.columns));
  }

  // Floats that a call needs: the sums, and a line of the images or one of each scale.
  long room() const {
    long columns = 0;
    for (const Upsampled& up : scales_) columns += up.map.width;
    const long images = static_cast<long>(rgb_.width + 2) * kImageTaps;
    return static_cast<long>(rgb_.width) * kFusionWidth + std::max(columns * kTaps, images);
  }

  void operator()(long b, int y, float* sums, float* out) const {
    const int width = rgb_.width;
    float* lines = sums + static_cast<long>(width) * kFusionWidth;
    image_taps(b, y, lines, sums);
    float* line = lines;
    for (const Upsampled& up : scales_) {
      column_taps(up, b, y, line);
      line += up.map.width * kTaps;
    }
    for (int x = 0; x < width; ++x) row_taps(x, lines, sums + static_cast<long>(x) * kFusionWidth);
    multiply(sums, kFusionWidth, width, weights_.last, {out, 3});
    sigmoids(out, 3 * width);
  }

 private:
  static constexpr int kTaps = 3 * kFusionWidth;  // of one row of the 3x3 kernel
  static constexpr int kImageTaps = 3 * 4;        // of one column of the 3x3 kernel

  // Where a pixel's neighbour lies on a scale's line, and how much of either side it has.
  struct Corner {
    int first, second;
    float first_share, second_share;
  };

  // Of the columns -1, 0, ..., width: those beyond the image have no share.
  static std::vector<Corner> corners_of(const Axis& columns) {
    std::vector<Corner> corners(columns.share.size() + 2, Corner{});
    for (size_t x = 0; x < columns.share.size(); ++x)
      corners[x + 1] = {columns.first[x] * kTaps, columns.second[x] * kTaps, 1 - columns.share[x], columns.share[x]};
    return corners;
  }

  // The images' part: three neighbouring columns of three pixels each, 36 numbers, lie one behind the other.
  void image_taps(long b, int y, float* line, float* sums) const {
    const int width = rgb_.width;
    std::memset(line, 0, static_cast<long>(width + 2) * kImageTaps * sizeof(float));
    for (int tap = 0; tap < 3; ++tap) {
      const float *rgb = rgb_.at(b, y + tap - 1, 0), *thermal = thermal_.at(b, y + tap - 1, 0);
      if (!rgb) continue;
      float* pixel = line + kImageTaps + 4 * tap;
      for (int x = 0; x < width; ++x, pixel += kImageTaps) {
        for (int c = 0; c < 3; ++c) pixel[c] = rgb[3 * x + c];
        pixel[3] = thermal[x];
      }
    }
    multiply(line, kImageTaps, width, weights_.images, {sums, kFusionWidth});
  }

  void column_taps(const Upsampled& up, long b, int y, float* line) const {
    const float* rows[6];
    float shares[6];
    for (int tap = 0; tap < 3; ++tap) {
      const int row = std::min(std::max(y + tap - 1, 0), rgb_.height - 1);
      const bool inside = row == y + tap - 1;
      rows[2 * tap] = up.map.at(b, up.rows.first[row], 0) + tap * kTaps;
      rows[2 * tap + 1] = up.map.at(b, up.rows.second[row], 0) + tap * kTaps;
      shares[2 * tap] = inside ? 1 - up.rows.share[row] : 0;
      shares[2 * tap + 1] = inside ? up.rows.share[row] : 0;
    }
    for (int x = 0; x < up.map.width; ++x)
      for (int c = 0; c < kTaps; c += kLanes) {
        Vec total = {};
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) total += load(rows[i] + x * 3 * kTaps + c) * shares[i];
        store(line + x * kTaps + c, total);
      }
  }

  // Adds all scales to one pixel's sums; what is below zero becomes zero.
  void row_taps(int x, const float* lines, float* sums) const {
    constexpr int kVecs = kFusionWidth / kLanes;
    Vec totals[kVecs];
    for (int v = 0; v < kVecs; ++v) totals[v] = load(sums + v * kLanes);
    for (size_t scale = 0; scale < scales_.size(); ++scale) {
      const Corner* corner = corners_[scale].data() + x;
#pragma GCC unroll 3
      for (int tap = 0; tap < 3; ++tap, ++corner) {
        const float *first = lines + tap * kFusionWidth + corner->first,
                    *second = lines + tap * kFusionWidth + corner->second;
        for (int v = 0; v < kVecs; ++v)
          totals[v] +=
              load(first + v * kLanes) * corner->first_share + load(second + v * kLanes) * corner->second_share;
      }
      lines += scales_[scale].map.width * kTaps;
    }
    for (int v = 0; v < kVecs; ++v) store(sums + v * kLanes, larger(totals[v], Vec{}));
  }

  static void sigmoids(float* x, int n) {
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) store(x + i, sigmoid(load(x + i)));
    float rest[kLanes] = {};
    std::copy(x + i, x + n, rest);
    store(rest, sigmoid(load(rest)));
    std::copy(rest, rest + (n - i), x + i);
  }

  const std::vector<Upsampled>& scales_;
  std::vector<std::vector<Corner>> corners_;  // by scale
  const Map rgb_, thermal_;
  const FusionWeights weights_;
};
