// Area averaging of images: each pixel of the smaller one is the mean of the area that it covers.
#pragma once

#include "maps.h"

// The pixels of a longer axis that each pixel of a shorter one covers: from first[i] on, with shares[start[i]] and so
// on up to shares[start[i + 1]], whose sum is 1. Computed in units of 1 / to of a pixel, where all is whole.
struct Areas {
  std::vector<int> first, start;
  std::vector<float> shares;

  Areas(int from, int to) : first(to), start(to + 1) {
    for (long i = 0; i < to; ++i) {
      const long begin = i * from, end = begin + from;
      first[i] = static_cast<int>(begin / to);
      for (long pixel = first[i]; pixel * to < end; ++pixel)
        shares.push_back(static_cast<float>(std::min(end, (pixel + 1) * to) - std::max(begin, pixel * to)) / from);
      start[i + 1] = static_cast<int>(shares.size());
    }
  }

  int count(int i) const { return start[i + 1] - start[i]; }
};

// One output row: the rows that it covers are summed up in `line`, which has room for one, then its pixels.
inline void average_row(const Map& map, long b, int y, const Areas& rows, const Areas& columns, int width, float* line,
                        float* out) {
  const int length = map.width * map.channels, channels = map.channels;
  for (int k = 0; k < rows.count(y); ++k) {
    const float* row = map.at(b, rows.first[y] + k, 0);
    const float share = rows.shares[rows.start[y] + k];
    for (int i = 0; i < length; ++i) line[i] = k ? line[i] + row[i] * share : row[i] * share;
  }
  for (int x = 0; x < width; ++x, out += channels) {
    const float* pixel = line + columns.first[x] * channels;
    for (int c = 0; c < channels; ++c) {
      float total = 0;
      for (int k = 0; k < columns.count(x); ++k)
        total += pixel[k * channels + c] * columns.shares[columns.start[x] + k];
      out[c] = total;
    }
  }
}

inline void area_average(const Map& map, int batch, int height, int width, float* out) {
  const Areas rows(map.height, height), columns(map.width, width);
  thread_local Scratch kept;
  Scratch& scratch = kept;
  scratch.reserve(static_cast<long>(map.width) * map.channels);
#pragma omp parallel for collapse(2)
  for (int b = 0; b < batch; ++b)
    for (int y = 0; y < height; ++y)
      average_row(map, b, y, rows, columns, width, scratch.mine(),
                  out + (static_cast<long>(b) * height + y) * width * map.channels);
}
