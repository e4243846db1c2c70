// The segmentation head: mixing of upsampled scales, labels.
#pragma once

#include "maps.h"
#include "multiply.h"

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

// Floats that label_row needs.
inline long label_row_room(int small_width, int classes, int width) {
  return static_cast<long>(classes) * small_width + 4L * (width + kLanes);
}

// The share of the highest of the upsampled logits of one row in the sum of their exponentials [1/255]. best: these
// logits; others: room for 2 * (width + kLanes).
inline void confidence_row(const float* lines, int classes, int small, const Axis& columns, int width,
                           const float* best, float* others, uint8_t* out) {
  const int *first = columns.first.data(), *second = columns.second.data();
  const float* share = columns.share.data();
  float* total = others + width + kLanes;
  std::fill(others, total + width + kLanes, 0.0f);
  for (int c = 0; c < classes; ++c) {
    const float* line = lines + static_cast<long>(c) * small;
    for (int x = 0; x < width; ++x) {
      const float value = line[first[x]] + (line[second[x]] - line[first[x]]) * share[x];
      others[x] = (value - best[x]) * kLog2E;
    }
    for (int x = 0; x < width; x += kLanes) store(total + x, load(total + x) + bounded_power_of_two(load(others + x)));
  }
  for (int x = 0; x < width; ++x)
    out[x] = static_cast<uint8_t>(static_cast<int32_t>(__builtin_nearbyintf(255.0f / total[x])));
}

// Class of the highest upsampled logit for one output row, and its confidence unless that is null. lines: room for
// label_row_room floats.
inline void label_row(const Map& logits, long b, int y, const Axis& rows, const Axis& columns, int width, float* lines,
                      uint8_t* out, uint8_t* confidence) {
  const int small = logits.width, classes = logits.channels;
  float* best = lines + static_cast<long>(classes) * small;
  float* winner = best + width + kLanes;
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
  if (confidence) confidence_row(lines, classes, small, columns, width, best, winner + width + kLanes, confidence);
}
