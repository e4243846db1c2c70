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
  Weights images[3];  // a row of the kernel each: 3 pixels * (r, g, b, thermal) to 16
  Weights last;       // 16 to 3
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
    return static_cast<long>(rgb_.width) * kFusionWidth + std::max(widest * kTaps, 4 * (rgb_.width + 2));
  }

  void operator()(long b, int y, float* sums, float* out) const {
    const int width = rgb_.width;
    float* line = sums + static_cast<long>(width) * kFusionWidth;
    image_taps(b, y, line, sums);
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

  // The images' part: a row of the 3x3 kernel is one multiplication of three neighbouring pixels, 12 numbers.
  void image_taps(long b, int y, float* line, float* sums) const {
    const int width = rgb_.width;
    for (const int tap : {1, 0, 2}) {  // the middle row first: it is always there
      const float *rgb = rgb_.at(b, y + tap - 1, 0), *thermal = thermal_.at(b, y + tap - 1, 0);
      if (!rgb) continue;
      std::fill(line, line + 4, 0.0f);  // beyond the left edge
      float* pixel = line + 4;
      for (int x = 0; x < width; ++x, pixel += 4) {
        std::copy(rgb + 3 * x, rgb + 3 * x + 3, pixel);
        pixel[3] = thermal[x];
      }
      std::fill(pixel, pixel + 4, 0.0f);
      multiply(line, 4, width, weights_.images[tap], {sums, kFusionWidth, tap == 1 ? nullptr : sums});
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
