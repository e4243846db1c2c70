// softmax(q k^T) v for few keys: the scores of a handful of queries fit into the cache.
#pragma once

#include "multiply.h"

constexpr float kSmallScore = 86;  // 2^86 is far from float's limit, also summed over all keys

struct AttentionShape {
  int queries, keys, heads, depth;  // depth: channels of a head
};

inline float inverse_sum(const float* x, int n) {
  const int whole = n / kLanes * kLanes;
  Vec totals[4] = {};  // four chains of additions, not one that is four times as long
  int at = 0;
  for (; at + 4 * kLanes <= whole; at += 4 * kLanes)
    for (int j = 0; j < 4; ++j) totals[j] += load(x + at + j * kLanes);
  for (; at < whole; at += kLanes) totals[0] += load(x + at);
  float result = sum((totals[0] + totals[1]) + (totals[2] + totals[3]));
  for (int i = whole; i < n; ++i) result += x[i];
  return 1.0f / result;
}

inline float squared_length(const float* x, int n) {
  Vec total = {};
  for (int i = 0; i < n; i += kLanes) total += load(x + i) * load(x + i);
  return sum(total);
}

// Keys of all heads, times log2(e), as panels of a matrix (depth x keys); values as panels of (keys x depth).
class PackedKeysValues {
 public:
  PackedKeysValues(const AttentionShape& shape, const float* key_value, float* memory)
      : shape_(shape), memory_(memory), longest_(shape.heads) {
    const int channels = shape.heads * shape.depth;
    std::memset(memory, 0, size(shape) * sizeof(float));
#pragma omp parallel for
    for (int m = 0; m < shape.keys; ++m)
      for (int h = 0; h < shape.heads; ++h)
        for (int d = 0; d < shape.depth; ++d) {
          const float* pair = key_value + static_cast<long>(m) * 2 * channels + h * shape.depth + d;
          memory_[head(shape) * h + (m / kPanel * shape.depth + d) * static_cast<long>(kPanel) + m % kPanel] =
              pair[0] * kLog2E;
          memory_[head(shape) * h + keys(shape) + (d / kPanel * shape.keys + m) * static_cast<long>(kPanel) +
                  d % kPanel] = pair[channels];
        }
    for (int m = 0; m < shape.keys; ++m)
      for (int h = 0; h < shape.heads; ++h) {
        const float* key = key_value + static_cast<long>(m) * 2 * channels + h * shape.depth;
        longest_[h] = std::max(longest_[h], kLog2E * kLog2E * squared_length(key, shape.depth));
      }
  }

  Weights scores_of(int head_number) const {
    return {memory_ + head(shape_) * head_number, zeros(), shape_.depth, padded(shape_.keys)};
  }
  Weights values_of(int head_number) const {
    return {memory_ + head(shape_) * head_number + keys(shape_), zeros(), shape_.keys, shape_.depth};
  }

  // Squared length of the longest key of a head.
  float longest_key(int head_number) const { return longest_[head_number]; }

  static long size(const AttentionShape& s) { return head(s) * s.heads + padded(std::max(s.keys, s.depth)); }
  static int padded(int n) { return (n + kPanel - 1) / kPanel * kPanel; }

 private:
  static long keys(const AttentionShape& s) { return static_cast<long>(padded(s.keys)) * s.depth; }
  static long head(const AttentionShape& s) { return keys(s) + static_cast<long>(padded(s.depth)) * s.keys; }
  const float* zeros() const { return memory_ + head(shape_) * shape_.heads; }  // in place of biases

  const AttentionShape shape_;
  float* memory_;
  std::vector<float> longest_;
};

// Scores of a query to 2^(score - highest); those beyond `keys` are padding. Returns 1 / their sum.
inline float exponentials(float* scores, int keys) {
  std::fill(scores + keys, scores + PackedKeysValues::padded(keys), -INFINITY);
  Vec tops = load(scores);
  for (int i = kLanes; i < keys; i += kLanes) tops = larger(tops, load(scores + i));
  const float top = largest(tops);
  for (int i = 0; i < keys; i += kLanes) store(scores + i, bounded_power_of_two(load(scores + i) - top));
  return inverse_sum(scores, keys);
}

inline void attend(const AttentionShape& shape, const float* query, const float* key_value, const float* residual,
                   float* out) {
  thread_local std::vector<float> memory;
  memory.resize(std::max<size_t>(memory.size(), PackedKeysValues::size(shape)));
  const PackedKeysValues packed(shape, key_value, memory.data());
  const int channels = shape.heads * shape.depth, width = PackedKeysValues::padded(shape.keys);
  constexpr int block = 12;  // queries that share what is read of keys and values
  const int blocks = (shape.queries + block - 1) / block;
  thread_local Scratch kept;
  Scratch& scratch = kept;
  scratch.reserve(static_cast<long>(block) * width);
#pragma omp parallel for schedule(dynamic) collapse(2)
  for (int h = 0; h < shape.heads; ++h)
    for (int i = 0; i < blocks; ++i) {
      const int count = std::min(block, shape.queries - i * block);
      const long first = static_cast<long>(i) * block * channels + h * shape.depth;
      float* scores = scratch.mine();
      float shares[block], longest = 0;
      for (int r = 0; r < count; ++r)
        longest = std::max(longest, squared_length(query + first + static_cast<long>(r) * channels, shape.depth));
      // A score is at most |q| |k|. Where that is small, the exponentials cannot overflow, and are taken at once.
      const bool small = longest * packed.longest_key(h) <= kSmallScore * kSmallScore;
      multiply(query + first, channels, count, packed.scores_of(h),
               {scores, width, nullptr, small ? kPowerOfTwo : kNone});
      for (int r = 0; r < count; ++r) {
        float* row = scores + static_cast<long>(r) * width;
        shares[r] = small ? inverse_sum(row, shape.keys) : exponentials(row, shape.keys);
      }
      multiply(scores, width, count, packed.values_of(h), {out + first, channels});
      for (int r = 0; r < count; ++r)
        for (int d = 0; d < shape.depth; d += kLanes) {
          const long at = first + static_cast<long>(r) * channels + d;
          store(out + at, load(out + at) * shares[r] + (residual ? load(residual + at) : Vec{}));
        }
    }
}
