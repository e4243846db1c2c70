// Maps (batch, height, width, channels): standardisation, patches, depthwise convolution, bilinear coordinates.
#pragma once

#include "vector.h"

// (x - mean) / sqrt(variance + eps) over n values.
inline void standardise(const float* x, int n, float eps, float* out) {
  Vec total = {};
  for (int c = 0; c < n; c += kLanes) total += load(x + c);
  const float mean = sum(total) / n;
  Vec squares = {};
  for (int c = 0; c < n; c += kLanes) {
    const Vec d = load(x + c) - mean;
    squares += d * d;
  }
  const float scale = 1.0f / std::sqrt(sum(squares) / n + eps);
  for (int c = 0; c < n; c += kLanes) store(out + c, (load(x + c) - mean) * scale);
}

struct Map {
  const float* x;
  int height, width, channels;

  // Pixel of image b, or null where there is none.
  const float* at(long b, int y, int x_) const {
    if (y < 0 || y >= height || x_ < 0 || x_ >= width) return nullptr;
    return x + ((b * height + y) * width + x_) * channels;
  }
};

struct StandardisedRows {
  const float* x;
  int inputs;
  float eps;

  const float* operator()(long first, int count, float* rows) const {
    for (long r = 0; r < count; ++r) standardise(x + (first + r) * inputs, inputs, eps, rows + r * inputs);
    return rows;
  }
};

// The pixels under a strided kernel, row by row, zeros beyond the map; standardised pixel by pixel if eps >= 0.
struct Patches {
  Map map;
  int kernel, stride, padding, height, width;  // of the result
  float eps;

  const float* operator()(long first, int count, float* rows) const {
    const int line = kernel * map.channels;
    for (int r = 0; r < count; ++r) {
      const long pixel = first + r, b = pixel / (height * width);
      const int top = static_cast<int>(pixel / width % height) * stride - padding;
      const int left = static_cast<int>(pixel % width) * stride - padding;
      for (int k = 0; k < kernel; ++k) copy_line(b, top + k, left, rows + (static_cast<long>(r) * kernel + k) * line);
    }
    return rows;
  }

 private:
  void copy_line(long b, int y, int left, float* out) const {
    const float* line = map.at(b, y, left);
    if (eps < 0 && line && left + kernel <= map.width) {  // all of it lies within the map
      std::memcpy(out, line, kernel * map.channels * sizeof(float));
      return;
    }
    for (int k = 0; k < kernel; ++k, out += map.channels) {
      const float* pixel = map.at(b, y, left + k);
      if (!pixel)
        std::memset(out, 0, map.channels * sizeof(float));
      else if (eps >= 0)
        standardise(pixel, map.channels, eps, out);
      else
        std::memcpy(out, pixel, map.channels * sizeof(float));
    }
  }
};

// gelu(3x3 convolution of each channel by itself).
struct DepthwiseGelu {
  Map map;
  const float* weights;  // (9, channels)
  const float* bias;
  const float* zeros;  // a pixel's worth

  const float* operator()(long first, int count, float* rows) const {
    for (int r = 0; r < count;) {
      const int x = static_cast<int>((first + r) % map.width);
      const int neighbours = std::min({kNeighbours, count - r, map.width - x});
      convolve(first + r, neighbours, rows + static_cast<long>(r) * map.channels);
      r += neighbours;
    }
    return rows;
  }

 private:
  // Pixels side by side are convolved together: they share most of what they read.
  static constexpr int kNeighbours = 4;

  void convolve(long pixel, int count, float* out) const {
    const long b = pixel / (map.height * map.width), channels = map.channels;
    const int y = static_cast<int>(pixel / map.width % map.height), x = static_cast<int>(pixel % map.width);
    for (int c = 0; c < channels; c += kLanes) {
      Vec totals[kNeighbours];
      for (Vec& total : totals) total = load(bias + c);
      for (int row = 0; row < 3; ++row) {
        const float* middle = map.at(b, y + row - 1, x);
        if (middle)
          add_row(middle + c, weights + row * 3 * channels + c, x > 0, std::min(count + 1, map.width - x), totals);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kNeighbours; ++i)
        if (i < count) store(out + i * channels + c, totals[i]);
    }
    // Apart: in one loop with the sums, GELU's long chains of operations would fill the processor's queues.
    for (long i = 0; i < count * channels; i += kLanes) store(out + i, gelu(load(out + i)));
  }

  // here: the first pixel's channels; ahead: pixels from there on that are read.
  void add_row(const float* here, const float* taps, bool has_left, int ahead, Vec* totals) const {
    const long channels = map.channels;
    const Vec left = load(taps), middle = load(taps + channels), right = load(taps + 2 * channels);
    Vec x[kNeighbours + 2];
    x[0] = has_left ? load(here - channels) : Vec{};
#pragma GCC unroll 8
    for (int i = 0; i <= kNeighbours; ++i) x[i + 1] = i < ahead ? load(here + i * channels) : Vec{};
#pragma GCC unroll 8
    for (int i = 0; i < kNeighbours; ++i) totals[i] += x[i] * left;
#pragma GCC unroll 8
    for (int i = 0; i < kNeighbours; ++i) totals[i] += x[i + 1] * middle;
#pragma GCC unroll 8
    for (int i = 0; i < kNeighbours; ++i) totals[i] += x[i + 2] * right;
  }
};

// Where the pixels of a longer axis lie on a shorter one, centres at halves, ends held: x[first] + (x[second] -
// x[first]) * share.
struct Axis {
  std::vector<int> first, second;
  std::vector<float> share;

  Axis(int from, int to) : first(to), second(to), share(to) {
    const float scale = static_cast<float>(from) / to;
    for (int i = 0; i < to; ++i) {
      const float at = std::max(0.0f, (i + 0.5f) * scale - 0.5f);
      first[i] = std::min(static_cast<int>(at), from - 1);
      second[i] = std::min(first[i] + 1, from - 1);
      share[i] = at - first[i];
    }
  }
};
