// Vectors as wide as the machine's registers, and the few functions of them that the operators need.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

// kLanes floats fill a register; a tile of kTileRows x 2 registers of sums leaves room for its operands.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kTileRows = 12;
constexpr char kInstructions[] = "AVX-512";
#elif defined(__AVX__)
constexpr int kLanes = 8, kTileRows = 6;
#if defined(__AVX2__) && defined(__FMA__)
constexpr char kInstructions[] = "AVX2";
#else
constexpr char kInstructions[] = "AVX";
#endif
#elif defined(__aarch64__)
constexpr int kLanes = 4, kTileRows = 12;
constexpr char kInstructions[] = "NEON";
#else
constexpr int kLanes = 4, kTileRows = 6;
constexpr char kInstructions[] = "four lanes";
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef float MemoryVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const MemoryVec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<MemoryVec*>(p) = v; }
inline Vec all(float x) { return Vec{} + x; }
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }

typedef float Quad __attribute__((vector_size(16)));

// Four lanes of v, from lane i on.
inline Quad quad(Vec v, int i) {
  Quad part;
  std::memcpy(&part, reinterpret_cast<const float*>(&v) + i, sizeof part);
  return part;
}

inline float sum(Vec v) {
  Quad total = quad(v, 0);
  for (int i = 4; i < kLanes; i += 4) total += quad(v, i);
  return (total[0] + total[1]) + (total[2] + total[3]);
}

inline float largest(Vec v) {
  Quad top = quad(v, 0);
  for (int i = 4; i < kLanes; i += 4) top = quad(v, i) > top ? quad(v, i) : top;
  return std::max(std::max(top[0], top[1]), std::max(top[2], top[3]));
}

// e^x to 2 ulp: 2^n by the exponent's bits, the rest by a polynomial (Cephes' coefficients). x up to 88; below -87 it
// is e^-87.
inline Vec exponential(Vec x) {
  x = larger(x, all(-87.0f));
  const Vec rounder = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec n = (x * 1.44269504088896341f + rounder) - rounder;
  const Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vec p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntVec bits = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exponential(-larger(x, all(-87.0f)))); }

// x * (1 + erf(x / sqrt 2)) / 2 with erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
inline Vec gelu(Vec x) {
  const Vec z = x * 0.70710678118654752f;
  const Vec magnitude = z < Vec{} ? -z : z;
  const Vec t = 1.0f / (1.0f + 0.3275911f * magnitude);
  Vec p = all(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vec tail = p * t * exponential(-z * z) * 0.5f;  // erfc(|z|) / 2
  return x * (z < Vec{} ? tail : 1.0f - tail);
}

// Memory for each thread of a parallel loop, kept from frame to frame. It is made before the loop begins: an exception
// inside of it would end the process.
class Scratch {
 public:
  void reserve(long each) {
    each_ = (each + kLanes - 1) / kLanes * kLanes;
    const long wanted = each_ * omp_get_max_threads();
    if (wanted <= size_) return;
    size_ = 0;
    memory_.reset();  // first, so that old and new need not fit together
    memory_.reset(new float[wanted]);
    size_ = wanted;
  }

  float* mine() { return memory_.get() + each_ * omp_get_thread_num(); }

 private:
  std::unique_ptr<float[]> memory_;
  long each_ = 0, size_ = 0;
};
