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
    const int channels = map.channels;
    for (int r = 0; r < count; ++r) {
      const long pixel = first + r, b = pixel / (map.height * map.width);
      const int y = static_cast<int>(pixel / map.width % map.height), x = static_cast<int>(pixel % map.width);
      const float* taps[9];
      for (int t = 0; t < 9; ++t) {
        const float* tap = map.at(b, y + t / 3 - 1, x + t % 3 - 1);
        taps[t] = tap ? tap : zeros;
      }
      float* out = rows + static_cast<long>(r) * channels;
      for (int c = 0; c < channels; c += kLanes) {
        Vec total = load(bias + c);
#pragma GCC unroll 9
        for (int t = 0; t < 9; ++t) total += load(taps[t] + c) * load(weights + t * channels + c);
        store(out + c, gelu(total));
      }
    }
    return rows;
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
