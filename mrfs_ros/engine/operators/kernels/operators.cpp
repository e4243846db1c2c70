// The operators as C functions for ctypes. Everything is float32 in contiguous (batch, height, width, channels) maps;
// channels are multiples of 16 except where images and logits are meant. eps < 0: no standardisation. Result: see
// guarded.
#include "area_average.h"
#include "attention.h"
#include "fusion.h"
#include "heads.h"
#include "maps.h"
#include "multiply.h"

// 0, or 1 when there was not enough memory.
template <class Work>
static int guarded(const Work& work) {
  try {
    work();
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

extern "C" {

int mrfs_panel() { return kPanel; }

const char* mrfs_instructions() { return kInstructions; }

int mrfs_linear(const float* x, long rows, float eps, const float* panels, const float* bias, int inputs, int outputs,
                const float* residual, int activation, float* out) {
  return guarded([&] {
    const Weights w{panels, bias, inputs, outputs};
    const Output o{out, outputs, residual, static_cast<Activation>(activation)};
    if (eps >= 0)
      multiply_rows(rows, StandardisedRows{x, inputs, eps}, w, o);
    else
      multiply_rows(rows, PlainRows{x, inputs}, w, o);
  });
}

int mrfs_patches(const float* x, int batch, int height, int width, int channels, int kernel, int stride, int padding,
                 float eps, const float* panels, const float* bias, int outputs, int out_height, int out_width,
                 float* out) {
  return guarded([&] {
    const Patches patches{{x, height, width, channels}, kernel, stride, padding, out_height, out_width, eps};
    multiply_rows(static_cast<long>(batch) * out_height * out_width, patches,
                  {panels, bias, kernel * kernel * channels, outputs}, {out, outputs});
  });
}

int mrfs_layer_norm(const float* x, long rows, int channels, float eps, const float* scale, const float* shift,
                    float* out) {
  return guarded([&] {
#pragma omp parallel for
    for (long r = 0; r < rows; ++r) {
      float* row = out + r * channels;
      standardise(x + r * channels, channels, eps, row);
      for (int c = 0; c < channels; c += kLanes) store(row + c, load(row + c) * load(scale + c) + load(shift + c));
    }
  });
}

int mrfs_depthwise_gelu_linear(const float* x, int batch, int height, int width, int channels, const float* taps,
                               const float* taps_bias, const float* panels, const float* bias, int outputs,
                               const float* residual, float* out) {
  return guarded([&] {
    const std::vector<float> zeros(channels);
    const DepthwiseGelu source{{x, height, width, channels}, taps, taps_bias, zeros.data()};
    multiply_rows(static_cast<long>(batch) * height * width, source, {panels, bias, channels, outputs},
                  {out, outputs, residual});
  });
}

int mrfs_attention(const float* query, const float* key_value, int batch, int queries, int keys, int heads, int depth,
                   const float* residual, float* out) {
  return guarded([&] {
    const long per_query = static_cast<long>(queries) * heads * depth, per_key = 2L * keys * heads * depth;
    for (int b = 0; b < batch; ++b)
      attend({queries, keys, heads, depth}, query + b * per_query, key_value + b * per_key,
             residual ? residual + b * per_query : nullptr, out + b * per_query);
  });
}

int mrfs_pool(const float* x, int batch, long pixels, int channels, float* mean, float* maximum) {
  return guarded([&] {
#pragma omp parallel for collapse(2)
    for (int b = 0; b < batch; ++b)
      for (int c = 0; c < channels; c += kLanes) {
        Vec total = {}, top = all(-INFINITY);
        for (long first = 0; first < pixels; first += 256) {  // in pieces: rounding grows with the terms of a sum
          Vec piece = {};
          for (long p = first; p < std::min(pixels, first + 256); ++p) {
            const Vec v = load(x + (b * pixels + p) * channels + c);
            piece += v;
            top = larger(top, v);
          }
          total += piece;
        }
        store(mean + b * channels + c, total / static_cast<float>(pixels));
        store(maximum + b * channels + c, top);
      }
  });
}

// One pixel's mean and maximum over its channels.
static void summary(const float* x, int channels, float* out) {
  Vec total = {}, top = all(-INFINITY);
  for (int c = 0; c < channels; c += kLanes) total += load(x + c), top = larger(top, load(x + c));
  out[0] = sum(total) / channels;
  out[1] = largest(top);
}

// IGM-Att's exchange. channel_weights (batch, 2 * channels); spatial: 4 inputs -> 16 -> 2.
int mrfs_exchange(const float* x1, const float* x2, const float* gate, const float* channel_weights,
                  const float* weight1, const float* bias1, const float* weight2, const float* bias2, int batch,
                  long pixels, int channels, float* y1, float* y2) {
  return guarded([&] {
    const float one = 1;
#pragma omp parallel for collapse(2)
    for (int b = 0; b < batch; ++b)
      for (long p = 0; p < pixels; ++p) {
        const long at = (b * pixels + p) * channels;
        float inputs[4], outputs[2] = {bias2[0], bias2[1]};
        summary(x1 + at, channels, inputs);
        summary(x2 + at, channels, inputs + 2);
        for (int h = 0; h < 16; ++h) {
          float hidden = bias1[h];
          for (int i = 0; i < 4; ++i) hidden += weight1[h * 4 + i] * inputs[i];
          hidden = std::max(hidden, 0.0f);
          for (int o = 0; o < 2; ++o) outputs[o] += weight2[o * 16 + h] * hidden;
        }
        const float spatial1 = one / (one + std::exp(-outputs[0])), spatial2 = one / (one + std::exp(-outputs[1]));
        const float* weights = channel_weights + b * 2L * channels;
        for (int c = 0; c < channels; c += kLanes) {
          const Vec a = load(x1 + at + c), d = load(x2 + at + c), g = load(gate + at + c);
          store(y1 + at + c, a + (1.0f - g) * load(weights + channels + c) * spatial2 * d);
          store(y2 + at + c, d + g * load(weights + c) * spatial1 * a);
        }
      }
  });
}

// sizes: height, width of each coarse scale.
int mrfs_decode(const float* finest, int batch, int height, int width, int inputs, const float* panels,
                const float* bias, int mixed, const float* const* coarse, const int* sizes, int count,
                const float* class_panels, const float* class_bias, int classes, float* out) {
  return guarded([&] {
    std::vector<Upsampled> scales;
    for (int i = 0; i < count; ++i)
      scales.emplace_back(Map{coarse[i], sizes[2 * i], sizes[2 * i + 1], mixed}, height, width);
    const MixedScales source{finest, {panels, bias, inputs, mixed}, scales, height, width};
    multiply_rows(static_cast<long>(batch) * height * width, source, {class_panels, class_bias, mixed, classes},
                  {out, classes});
  });
}

int mrfs_area_average(const float* x, int batch, int height, int width, int channels, int out_height, int out_width,
                      float* out) {
  return guarded([&] { area_average({x, height, width, channels}, batch, out_height, out_width, out); });
}

// confidence: may be null.
int mrfs_labels(const float* logits, int batch, int small_height, int small_width, int classes, int height, int width,
                uint8_t* out, uint8_t* confidence) {
  return guarded([&] {
    const Axis rows(small_height, height), columns(small_width, width);
    thread_local Scratch kept;
    Scratch& scratch = kept;
    scratch.reserve(label_row_room(small_width, classes, width));
#pragma omp parallel for collapse(2)
    for (int b = 0; b < batch; ++b)
      for (int y = 0; y < height; ++y) {
        const long first = (static_cast<long>(b) * height + y) * width;
        label_row({logits, small_height, small_width, classes}, b, y, rows, columns, width, scratch.mine(), out + first,
                  confidence ? confidence + first : nullptr);
      }
  });
}

// image_panels, image_bias: of the upper, middle and lower row of the 3x3 kernel on both images.
int mrfs_fuse(const float* const* scales, const int* sizes, int count, const float* rgb, const float* thermal,
              int batch, int height, int width, const float* const* image_panels, const float* const* image_bias,
              const float* last_panels, const float* last_bias, float* out) {
  return guarded([&] {
    std::vector<Upsampled> upsampled;
    for (int i = 0; i < count; ++i)
      upsampled.emplace_back(Map{scales[i], sizes[2 * i], sizes[2 * i + 1], 9 * kFusionWidth}, height, width);
    FusionWeights weights{{}, {last_panels, last_bias, kFusionWidth, 3}};
    for (int tap = 0; tap < 3; ++tap) weights.images[tap] = {image_panels[tap], image_bias[tap], 12, kFusionWidth};
    const FusedRows fused_rows(upsampled, {rgb, height, width, 3}, {thermal, height, width, 1}, weights);
    thread_local Scratch kept;
    Scratch& scratch = kept;
    scratch.reserve(fused_rows.room());
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int b = 0; b < batch; ++b)
      for (int top = 0; top < height; top += kBlockRows)
        fused_rows(b, top, std::min(top + kBlockRows, height), scratch.mine(),
                   out + (static_cast<long>(b) * height + top) * width * 3);
  });
}

}  // extern "C"
