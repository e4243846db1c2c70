// Bytes of images to numbers in 0 to 1 and back: one pass each.
#pragma once

#include "vector.h"

constexpr long kBytesTogether = 1 << 14;  // by one thread in a row

inline void from_bytes(const uint8_t* bytes, long count, float* out) {
#pragma omp parallel for
  for (long first = 0; first < count; first += kBytesTogether)
    for (long i = first; i < std::min(count, first + kBytesTogether); ++i)
      out[i] = static_cast<float>(bytes[i]) / 255.0f;
}

// Rounded to the nearest, halves to even; x in 0 to 1. nearbyint, not an added constant: the compiler would fuse that
// with the product, which then could round to another byte than PyTorch's.
inline void to_bytes(const float* x, long count, uint8_t* out) {
#pragma omp parallel for
  for (long first = 0; first < count; first += kBytesTogether)
    for (long i = first; i < std::min(count, first + kBytesTogether); ++i)
      out[i] = static_cast<uint8_t>(static_cast<int32_t>(__builtin_nearbyintf(x[i] * 255.0f)));
}
