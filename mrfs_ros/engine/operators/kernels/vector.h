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
inline Vec floats(IntVec bits) { return reinterpret_cast<Vec>(bits); }
inline IntVec integers(Vec v) { return reinterpret_cast<IntVec>(v); }
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

constexpr float kLog2E = 1.44269504088896341f;

// 2^x to 2 ulp for x from -126 to 126: the whole part by the exponent's bits, the rest, from -1/2 to 1/2, by the
// polynomial of degree 5 with the least relative error (7.5e-8).
inline Vec power_of_two(Vec x) {
  const Vec rounded = x + 12582912.0f;  // 1.5 * 2^23: the sum's last bits are x, rounded to an integer
  const Vec r = x - (rounded - 12582912.0f);
  Vec p = all(1.327647129073739e-3f);
  p = p * r + 9.675541892647743e-3f;
  p = p * r + 5.550713092088699e-2f;
  p = p * r + 2.4022120237350464e-1f;
  p = p * r + 6.931469440460205e-1f;
  p = p * r + 1.0000001192092896f;
  return floats(integers(p) + (integers(rounded) << 23));
}

// The same for x up to 126; below -126 it is 2^-126.
inline Vec bounded_power_of_two(Vec x) { return power_of_two(larger(x, all(-126.0f))); }

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + bounded_power_of_two(larger(x, all(-87.0f)) * -kLog2E)); }

// x * (1 + erf(x / sqrt 2)) / 2 with erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
inline Vec gelu(Vec x) {
  const Vec magnitude = floats(integers(x) & 0x7fffffff);
  const Vec t = 1.0f / (1.0f + 0.23164189f * magnitude);
  Vec p = all(0.5307027145f);
  p = p * t - 0.7265760135f;
  p = p * t + 0.7107068705f;
  p = p * t - 0.142248368f;
  p = p * t + 0.127414796f;
  const Vec tail = p * t * bounded_power_of_two(x * x * (-0.5f * kLog2E));  // erfc(|x| / sqrt 2) / 2
  return larger(x, Vec{}) - magnitude * tail;
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
