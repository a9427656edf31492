// What the compiler and the C++ library's headers expect to find at link time.
#include <cstddef>
#include <new>

#include "kernel/core/panic.hpp"

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  void* const result = to;
  std::size_t words = size / 8;
  std::size_t bytes = size % 8;
  asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
  return result;
}

void* memset(void* to, int value, std::size_t size) {
  void* const result = to;
  constexpr unsigned long every_byte = 0x0101'0101'0101'0101;
  const unsigned long pattern = static_cast<unsigned char>(value) * every_byte;
  std::size_t words = size / 8;
  std::size_t bytes = size % 8;
  asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(pattern) : "memory");
  return result;
}

void* memmove(void* to, const void* from, std::size_t size) {
  // Forwards by words is right only if a word's bytes are read before they are written.
  if (static_cast<const char*>(from) + size <= to || static_cast<char*>(to) + 8 <= from) return memcpy(to, from, size);
  if (to <= from) {
    void* forward = to;
    asm volatile("rep movsb" : "+D"(forward), "+S"(from), "+c"(size)::"memory");
    return to;
  }
  void* last_to = static_cast<char*>(to) + size - 1;
  const void* last_from = static_cast<const char*>(from) + size - 1;
  asm volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(size)::"memory");
  return to;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

std::size_t strlen(const char* text) {
  std::size_t length = 0;
  while (text[length] != 0) ++length;
  return length;
}

const void* memchr(const void* memory, int value, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(memory);
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<unsigned char>(value)) return bytes + i;
  }
  return nullptr;
}

[[noreturn]] void __cxa_pure_virtual() { pulse::panic("a pure virtual function was called"); }

/// Nothing in the kernel is destroyed at its end: it has none.
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
void* __dso_handle = nullptr;
}

namespace std {
void __throw_logic_error(const char* text) { pulse::panic("{}", text); }
const nothrow_t nothrow{};
void __throw_length_error(const char* text) { pulse::panic("{}", text); }
void __throw_bad_array_new_length() { pulse::panic("bad_array_new_length"); }
void __throw_bad_alloc() { pulse::panic("bad_alloc"); }
void __throw_out_of_range_fmt(const char* text, ...) { pulse::panic("{}", text); }
}  // namespace std
