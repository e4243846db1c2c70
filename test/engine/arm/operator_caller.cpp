// A process that runs the C++ operators for another one: calls come in on stdin, what they wrote goes back on stdout.
//
// A call is its name and its arguments in the order of the C function, each after the letter of its kind (see
// mrfs_ros/engine/operators/library.py). A tensor is a key, the same for the same memory (0: none), its length in bytes
// and these; a list is its length and its elements. Back go the call's result, the number of tensors that it may have
// written, and their keys and bytes. Numbers are 8 bytes long, little-endian. Before the first call the program says
// the columns of a panel, the number of its threads, and a line with its instructions.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>

#include "operators.cpp"

namespace {

void fail(const std::string& text) {
  std::fprintf(stderr, "operator_caller: %s\n", text.c_str());
  std::exit(2);
}

void read(void* to, size_t bytes) {
  if (std::fread(to, 1, bytes, stdin) != bytes) fail("a call ends early");
}

int64_t number() {
  int64_t value;
  read(&value, sizeof value);
  return value;
}

void expect(const char* kinds) {
  const int kind = std::getchar();
  if (kind == EOF || !std::strchr(kinds, kind)) fail(std::string("expected an argument of kind ") + kinds);
}

// What one call's pointers point to.
struct Memory {
  std::map<int64_t, std::vector<char>> tensors;
  std::vector<int64_t> written;  // keys
  std::vector<std::vector<const float*>> lists;
  std::vector<std::vector<int>> numbers;

  char* tensor(bool is_written = false) {
    const int64_t key = number();
    if (!key) return nullptr;
    std::vector<char> content(number());
    read(content.data(), content.size());
    if (is_written) written.push_back(key);
    return tensors.emplace(key, std::move(content)).first->second.data();  // the first, where it comes again
  }
};

// One argument, by its type in the C function.
template <class T>
struct Argument;

template <>
struct Argument<const float*> {
  static const float* of(Memory& memory) {
    expect("to");
    return reinterpret_cast<float*>(memory.tensor());
  }
};

template <>
struct Argument<float*> {
  static float* of(Memory& memory) {
    expect("t");
    return reinterpret_cast<float*>(memory.tensor(true));
  }
};

template <>
struct Argument<uint8_t*> {
  static uint8_t* of(Memory& memory) {
    expect("bp");
    return reinterpret_cast<uint8_t*>(memory.tensor(true));
  }
};

template <>
struct Argument<const float* const*> {
  static const float* const* of(Memory& memory) {
    expect("m");
    std::vector<const float*> list(number());
    for (const float*& x : list) x = reinterpret_cast<float*>(memory.tensor());
    memory.lists.push_back(std::move(list));
    return memory.lists.back().data();
  }
};

template <>
struct Argument<const int*> {
  static const int* of(Memory& memory) {
    expect("n");
    std::vector<int> list(number());
    for (int& x : list) x = static_cast<int>(number());
    memory.numbers.push_back(std::move(list));
    return memory.numbers.back().data();
  }
};

template <>
struct Argument<int> {
  static int of(Memory&) { return expect("i"), static_cast<int>(number()); }
};

template <>
struct Argument<long> {
  static long of(Memory&) { return expect("l"), static_cast<long>(number()); }
};

template <>
struct Argument<float> {
  static float of(Memory&) {
    expect("f");
    double value;
    read(&value, sizeof value);
    return static_cast<float>(value);
  }
};

template <class... Types>
int call(int (*operation)(Types...), Memory& memory) {
  const std::tuple<Types...> arguments{Argument<Types>::of(memory)...};  // braces: in this order
  return std::apply(operation, arguments);
}

int call(const std::string& name, Memory& memory) {
  if (name == "linear") return call(mrfs_linear, memory);
  if (name == "patches") return call(mrfs_patches, memory);
  if (name == "layer_norm") return call(mrfs_layer_norm, memory);
  if (name == "depthwise_gelu_linear") return call(mrfs_depthwise_gelu_linear, memory);
  if (name == "attention") return call(mrfs_attention, memory);
  if (name == "pool") return call(mrfs_pool, memory);
  if (name == "exchange") return call(mrfs_exchange, memory);
  if (name == "decode") return call(mrfs_decode, memory);
  if (name == "area_average") return call(mrfs_area_average, memory);
  if (name == "labels") return call(mrfs_labels, memory);
  if (name == "fuse") return call(mrfs_fuse, memory);
  fail("unknown operator " + name);
  return 2;
}

void put(const void* from, size_t bytes) { std::fwrite(from, 1, bytes, stdout); }

void answer(int64_t result, const Memory& memory) {
  const int64_t count = memory.written.size();
  put(&result, sizeof result);
  put(&count, sizeof count);
  for (const int64_t key : memory.written) {
    const std::vector<char>& tensor = memory.tensors.at(key);
    put(&key, sizeof key);
    put(tensor.data(), tensor.size());
  }
  std::fflush(stdout);
}

}  // namespace

int main() {
  const int64_t facts[] = {mrfs_panel(), omp_get_max_threads()};
  put(facts, sizeof facts);
  std::printf("%s\n", mrfs_instructions());
  std::fflush(stdout);
  char name[64];
  while (std::fgets(name, sizeof name, stdin)) {
    Memory memory;
    const std::string line(name, std::strcspn(name, "\n"));
    const int result = call(line, memory);
    answer(result, memory);
  }
}
