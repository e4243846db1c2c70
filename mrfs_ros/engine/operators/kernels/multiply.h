// Rows times a weight matrix, plus bias and residual, through an activation: what most of the network's time goes to.
#pragma once

#include "vector.h"

constexpr int kPanel = 2 * kLanes;  // columns that a tile works on

enum Activation { kNone = 0, kRelu = 1, kSigmoid = 2, kPowerOfTwo = 3 };

// Columns in panels: for each panel of kPanel columns, for each input, kPanel weights; missing columns are zeros.
struct Weights {
  const float* panels;
  const float* bias;  // padded to whole panels
  int inputs, outputs;
};

struct Output {
  float* rows;
  long stride;
  const float* residual = nullptr;  // same stride
  Activation activation = kNone;

  Output from(long row) const {
    return {rows + row * stride, stride, residual ? residual + row * stride : nullptr, activation};
  }
};

inline Vec activated(Vec v, Activation activation) {
  if (activation == kRelu) return larger(v, Vec{});
  if (activation == kPowerOfTwo) return power_of_two(v);
  return activation == kSigmoid ? sigmoid(v) : v;
}

// R rows by the first V registers of a panel; the sums stay in registers over all inputs.
template <int R, int V>
void tile(const float* rows, long row_stride, const float* panel, int inputs, const float* bias, const Output& out) {
  Vec sums[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sums[r][v] = load(bias + v * kLanes);
  for (int k = 0; k < inputs; ++k, panel += kPanel) {
    Vec weights[V];
    for (int v = 0; v < V; ++v) weights[v] = load(panel + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const float x = rows[r * row_stride + k];
      for (int v = 0; v < V; ++v) sums[r][v] += x * weights[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      const long at = r * out.stride + v * kLanes;
      if (out.residual) sums[r][v] += load(out.residual + at);
      store(out.rows + at, activated(sums[r][v], out.activation));
    }
}

template <int R, int V>
void tile_of(int rows, const float* x, long stride, const float* panel, int inputs, const float* bias,
             const Output& out) {
  if (rows == R) return tile<R, V>(x, stride, panel, inputs, bias, out);
  if constexpr (R > 1) tile_of<R - 1, V>(rows, x, stride, panel, inputs, bias, out);
}

// The last panel when it has fewer than kPanel columns: a whole one beside the output, then the columns that count.
inline void narrow_tile(int rows, int columns, const float* x, long stride, const float* panel, int inputs,
                        const float* bias, const Output& out) {
  if (columns == kLanes) return tile_of<kTileRows, 1>(rows, x, stride, panel, inputs, bias, out);
  float whole[kTileRows * kPanel], residual[kTileRows * kPanel] = {};
  const size_t bytes = columns * sizeof(float);
  if (out.residual)
    for (int r = 0; r < rows; ++r) std::memcpy(residual + r * kPanel, out.residual + r * out.stride, bytes);
  const Output beside{whole, kPanel, residual, out.activation};
  if (columns < kLanes)
    tile_of<kTileRows, 1>(rows, x, stride, panel, inputs, bias, beside);
  else
    tile_of<kTileRows, 2>(rows, x, stride, panel, inputs, bias, beside);
  for (int r = 0; r < rows; ++r) std::memcpy(out.rows + r * out.stride, whole + r * kPanel, bytes);
}

// count rows of x times the weights, by one thread.
inline void multiply(const float* x, long stride, int count, const Weights& w, const Output& out) {
  for (int column = 0; column < w.outputs; column += kPanel) {
    const float* panel = w.panels + static_cast<long>(column) * w.inputs;
    const int columns = std::min(kPanel, w.outputs - column);
    for (int row = 0; row < count; row += kTileRows) {
      const int rows = std::min(kTileRows, count - row);
      Output here = out.from(row);
      here.rows += column;
      if (here.residual) here.residual += column;
      if (columns == kPanel)
        tile_of<kTileRows, 2>(rows, x + row * stride, stride, panel, w.inputs, w.bias + column, here);
      else
        narrow_tile(rows, columns, x + row * stride, stride, panel, w.inputs, w.bias + column, here);
    }
  }
}

// Rows that lie in memory as they are.
struct PlainRows {
  const float* x;
  int inputs;
  const float* operator()(long first, int, float*) const { return x + first * inputs; }
};

// Whole tiles: enough rows to make something of each weight that is read, enough chunks for all threads.
inline int rows_at_once(long rows) {
  const long share = rows / (4L * omp_get_max_threads());
  return static_cast<int>(std::min<long>(48, std::max<long>(kTileRows, share / kTileRows * kTileRows)));
}

// All rows, in chunks that stay in a core's cache, shared among the threads. source(first, count, rows) says where
// count rows from `first` on lie, one behind the other; it may compute them into `rows`, which has room for them.
template <class Source>
void multiply_rows(long rows, const Source& source, const Weights& w, const Output& out) {
  const int chunk = rows_at_once(rows);
  thread_local Scratch kept;
  Scratch& scratch = kept;  // the calling thread's, for all threads
  scratch.reserve(static_cast<long>(chunk) * w.inputs);
#pragma omp parallel for schedule(dynamic)
  for (long first = 0; first < rows; first += chunk) {
    const int count = static_cast<int>(std::min<long>(chunk, rows - first));
    multiply(source(first, count, scratch.mine()), w.inputs, count, w, out.from(first));
  }
}
