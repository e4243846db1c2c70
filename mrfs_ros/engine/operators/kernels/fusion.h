// The fusion head: taps of upsampled scales and of both images, summed, through ReLU, a 1x1 convolution and sigmoid.
#pragma once

#include "heads.h"

constexpr int kFusionWidth = 16;                                   // channels of the fusion head
constexpr int kParts = kFusionWidth / kLanes;                      // registers for them
constexpr int kTaps = 3 * kFusionWidth;                            // of one row of the 3x3 kernel
constexpr int kTogether = kParts == 1 ? 12 : kParts == 2 ? 6 : 4;  // pixels whose sums stay in registers
constexpr int kBlockRows = 8;                                      // that a thread computes in a row

struct FusionWeights {
  Weights images[3];  // a row of the kernel each: 3 pixels * (r, g, b, thermal) to 16
  Weights last;       // 16 to 3
};

// Pixels of a row that lie, with both neighbours, between the same two columns of a scale, in runs that need these
// columns only once; and single pixels that do not.
struct Runs {
  struct Run {
    int first, end;  // pixels
    bool between;
  };
  std::vector<Run> runs;

  explicit Runs(const Axis& columns) {
    const int width = static_cast<int>(columns.first.size());
    for (int x = 0; x < width; ++x) {
      const bool between = x > 0 && x + 1 < width && columns.first[x - 1] == columns.first[x + 1];
      if (between && !runs.empty() && runs.back().between && columns.first[runs.back().first] == columns.first[x])
        ++runs.back().end;
      else
        runs.push_back({x, x + 1, between});
    }
  }
};

class FusedRows {
 public:
  FusedRows(const std::vector<Upsampled>& scales, const Map& rgb, const Map& thermal, const FusionWeights& weights)
      : scales_(scales), rgb_(rgb), thermal_(thermal), weights_(weights), line_(4L * (rgb.width + 2)) {
    for (const Upsampled& up : scales) {
      runs_.emplace_back(up.columns);
      widest_ = std::max(widest_, up.map.width);
    }
  }

  long room() const {
    return (kBlockRows + 2) * line_ + static_cast<long>(rgb_.width) * kFusionWidth + static_cast<long>(widest_) * kTaps;
  }

  // Rows top to end - 1 of image b, of which there are kBlockRows at most; out: their first pixel.
  void operator()(long b, int top, int end, float* room, float* out) const {
    float* images = room;  // rows top - 1 to end
    float* sums = images + (kBlockRows + 2) * line_;
    float* taps = sums + static_cast<long>(rgb_.width) * kFusionWidth;
    for (int y = top - 1; y <= end; ++y) lay_out(b, y, images + (y - top + 1) * line_);
    for (int y = top; y < end; ++y, out += 3L * rgb_.width) {
      std::memset(sums, 0, static_cast<long>(rgb_.width) * kFusionWidth * sizeof(float));
      for (size_t i = 0; i < scales_.size(); ++i) {
        column_taps(scales_[i], b, y, taps);
        for (const Runs::Run& run : runs_[i].runs) {
          if (run.between)
            pixels_between(scales_[i].columns, run, taps, sums);
          else
            one_pixel(scales_[i].columns, run.first, taps, sums);
        }
      }
      const float* rows[3];
      for (int tap = 0; tap < 3; ++tap)
        rows[tap] = y + tap < 1 || y + tap > rgb_.height ? nullptr : images + (y - top + tap) * line_;
      for (int x = 0; x < rgb_.width; x += kTogether)
        pixels_of<kTogether>(std::min(kTogether, rgb_.width - x), rows, x, sums, out);
      through_sigmoid(out, 3 * rgb_.width);
    }
  }

 private:
  // A row of both images, (r, g, b, thermal) by pixel, a pixel of zeros at either end.
  void lay_out(long b, int y, float* pixel) const {
    const float *rgb = rgb_.at(b, y, 0), *thermal = thermal_.at(b, y, 0);
    if (!rgb) return;
    std::fill(pixel, pixel + 4, 0.0f);
    std::fill(pixel + line_ - 4, pixel + line_, 0.0f);
    for (int x = 0; x < rgb_.width; ++x) {
      pixel += 4;
      std::memcpy(pixel, rgb + 3 * x, 3 * sizeof(float));
      pixel[3] = thermal[x];
    }
  }

  // The scale interpolated down its columns, summed over the three taps of a column; rows beyond the image are zeros.
  void column_taps(const Upsampled& up, long b, int y, float* taps) const {
    const float *first[3], *second[3];
    float shares[3];
    int count = 0;
    for (int tap = 0; tap < 3; ++tap) {
      const int row = y + tap - 1;
      if (row < 0 || row >= rgb_.height) continue;
      first[count] = up.map.at(b, up.rows.first[row], 0) + tap * kTaps;
      second[count] = up.map.at(b, up.rows.second[row], 0) + tap * kTaps;
      shares[count++] = up.rows.share[row];
    }
    for (int x = 0; x < up.map.width; ++x)
      for (int c = 0; c < kTaps; c += kLanes) {
        const long at = static_cast<long>(x) * 3 * kTaps + c;
        Vec total = {};
        for (int i = 0; i < count; ++i)
          total += load(first[i] + at) * (1 - shares[i]) + load(second[i] + at) * shares[i];
        store(taps + x * kTaps + c, total);
      }
  }

  static void pixels_between(const Axis& columns, const Runs::Run& run, const float* taps, float* sums) {
    const float *left = taps + columns.first[run.first] * kTaps, *right = taps + columns.second[run.first] * kTaps;
    for (int c = 0; c < kFusionWidth; c += kLanes) {
      Vec start = {}, rises[3];
      for (int tap = 0; tap < 3; ++tap) {
        const Vec value = load(left + tap * kFusionWidth + c);
        rises[tap] = load(right + tap * kFusionWidth + c) - value;
        start += value;
      }
      const float* share = columns.share.data();
      for (int x = run.first; x < run.end; ++x) {
        float* at = sums + static_cast<long>(x) * kFusionWidth + c;
        const Vec middle = load(at) + start + rises[1] * share[x];
        store(at, middle + rises[0] * share[x - 1] + rises[2] * share[x + 1]);
      }
    }
  }

  void one_pixel(const Axis& columns, int x, const float* taps, float* sums) const {
    for (int c = 0; c < kFusionWidth; c += kLanes) {
      float* at = sums + static_cast<long>(x) * kFusionWidth + c;
      Vec total = load(at);
      for (int tap = 0; tap < 3; ++tap) {
        const int column = x + tap - 1;
        if (column < 0 || column >= rgb_.width) continue;
        const float share = columns.share[column];
        const float* here = taps + tap * kFusionWidth + c;
        total += load(here + columns.first[column] * kTaps) * (1 - share) +
                 load(here + columns.second[column] * kTaps) * share;
      }
      store(at, total);
    }
  }

  // R pixels from x on: both images' taps are added, ReLU, the last convolution. rows: upper, middle and lower one of
  // the images, null where there is none.
  template <int R>
  void pixels(const float* const* rows, int x, const float* sums, float* out) const {
    Vec total[R][kParts];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
      for (int part = 0; part < kParts; ++part)
        total[r][part] = load(sums + static_cast<long>(x + r) * kFusionWidth + part * kLanes) +
                         load(weights_.images[1].bias + part * kLanes);
    for (int tap = 0; tap < 3; ++tap) {
      if (!rows[tap]) continue;
      const float* pixel = rows[tap] + 4L * x;
      for (int k = 0; k < 12; ++k) {
        Vec weights[kParts];
        for (int part = 0; part < kParts; ++part) weights[part] = load(weight(weights_.images[tap], k, part));
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
          for (int part = 0; part < kParts; ++part) total[r][part] += pixel[4 * r + k] * weights[part];
      }
    }
    float hidden[R][kFusionWidth];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
      for (int part = 0; part < kParts; ++part) store(hidden[r] + part * kLanes, larger(total[r][part], Vec{}));
    Vec colours[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) colours[r] = load(weights_.last.bias);
    for (int k = 0; k < kFusionWidth; ++k) {
      const Vec weights = load(weight(weights_.last, k, 0));
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) colours[r] += hidden[r][k] * weights;
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) std::memcpy(out + 3L * (x + r), &colours[r], 3 * sizeof(float));
  }

  template <int R>
  void pixels_of(int count, const float* const* rows, int x, const float* sums, float* out) const {
    if (count == R) return pixels<R>(rows, x, sums, out);
    if constexpr (R > 1) pixels_of<R - 1>(count, rows, x, sums, out);
  }

  // Weights from input k to a register's worth of outputs.
  static const float* weight(const Weights& w, int k, int part) {
    const int column = part * kLanes;
    return w.panels + (column / kPanel * w.inputs + k) * kPanel + column % kPanel;
  }

  static void through_sigmoid(float* x, int count) {
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) store(x + i, sigmoid(load(x + i)));
    float rest[kLanes] = {};
    std::copy(x + i, x + count, rest);
    store(rest, sigmoid(load(rest)));
    std::copy(rest, rest + (count - i), x + i);
  }

  const std::vector<Upsampled>& scales_;
  std::vector<Runs> runs_;
  const Map rgb_, thermal_;
  const FusionWeights weights_;
  const long line_;  // floats of an image row that is laid out
  int widest_ = 0;
};
