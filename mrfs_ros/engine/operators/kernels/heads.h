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
  const float* images;  // (9 taps, 4 channels, 16)
  const float* bias;    // (16,)
  Weights last;         // 16 to 3
};

// One row of the fused image: each scale's taps are interpolated down the columns and summed over the three taps of a
// column, then along the row; the images' own taps are added; rows and columns beyond the image count as zeros.
class FusedRow {
 public:
  FusedRow(const std::vector<Upsampled>& scales, const Map& rgb, const Map& thermal, const FusionWeights& weights)
      : scales_(scales), rgb_(rgb), thermal_(thermal), weights_(weights) {}

  long room() const {
    int widest = 0;
    for (const Upsampled& up : scales_) widest = std::max(widest, up.map.width);
    return static_cast<long>(rgb_.width) * kFusionWidth + static_cast<long>(widest) * kTaps;
  }

  void operator()(long b, int y, float* sums, float* out) const {
    const int width = rgb_.width;
    float* line = sums + static_cast<long>(width) * kFusionWidth;
    image_taps(b, y, sums);
    for (const Upsampled& up : scales_) {
      column_taps(up, b, y, line);
      row_taps(up.columns, line, sums);
    }
    for (long i = 0; i < static_cast<long>(width) * kFusionWidth; i += kLanes)
      store(sums + i, larger(load(sums + i), Vec{}));
    multiply(sums, kFusionWidth, width, weights_.last, {out, 3, nullptr, kSigmoid});
  }

 private:
  static constexpr int kTaps = 3 * kFusionWidth;  // of one row of the 3x3 kernel

  // The images' part, tap by tap, so that a tap's weights are loaded once for many pixels.
  void image_taps(long b, int y, float* sums) const {
    const int width = rgb_.width;
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < kFusionWidth; c += kLanes) store(sums + x * kFusionWidth + c, load(weights_.bias + c));
    for (int t = 0; t < 9; ++t) {
      const int across = t % 3 - 1;
      const float *rgb = rgb_.at(b, y + t / 3 - 1, 0), *thermal = thermal_.at(b, y + t / 3 - 1, 0);
      if (!rgb) continue;
      for (int c = 0; c < kFusionWidth; c += kLanes) {
        const float* w = weights_.images + t * 4 * kFusionWidth + c;
        const Vec red = load(w), green = load(w + kFusionWidth), blue = load(w + 2 * kFusionWidth),
                  heat = load(w + 3 * kFusionWidth);
        for (int x = std::max(0, -across); x < width - std::max(0, across); ++x) {
          const float* pixel = rgb + 3 * (x + across);
          float* at = sums + x * kFusionWidth + c;
          store(at, load(at) + pixel[0] * red + pixel[1] * green + pixel[2] * blue + thermal[x + across] * heat);
        }
      }
    }
  }

  void column_taps(const Upsampled& up, long b, int y, float* line) const {
    const int length = up.map.width * kTaps, height = rgb_.height;
    std::memset(line, 0, length * sizeof(float));
    for (int tap = 0; tap < 3; ++tap) {
      const int row = y + tap - 1;
      if (row < 0 || row >= height) continue;
      const float share = up.rows.share[row];
      const float* upper = up.map.at(b, up.rows.first[row], 0) + tap * kTaps;
      const float* lower = up.map.at(b, up.rows.second[row], 0) + tap * kTaps;
      for (int x = 0; x < up.map.width; ++x, upper += 3 * kTaps, lower += 3 * kTaps)
        for (int c = 0; c < kTaps; c += kLanes) {
          float* at = line + x * kTaps + c;
          store(at, load(at) + load(upper + c) * (1 - share) + load(lower + c) * share);
        }
    }
  }

  void row_taps(const Axis& columns, const float* line, float* sums) const {
    const int width = rgb_.width;
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < kFusionWidth; c += kLanes) {
        Vec total = load(sums + x * kFusionWidth + c);
        for (int tap = 0; tap < 3; ++tap) {
          const int column = x + tap - 1;
          if (column < 0 || column >= width) continue;
          const float share = columns.share[column];
          const float* taps = line + tap * kFusionWidth + c;
          total += load(taps + columns.first[column] * kTaps) * (1 - share) +
                   load(taps + columns.second[column] * kTaps) * share;
        }
        store(sums + x * kFusionWidth + c, total);
      }
  }

  const std::vector<Upsampled>& scales_;
  const Map rgb_, thermal_;
  const FusionWeights weights_;
};
