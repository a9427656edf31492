#include "kernel/core/symbols.hpp"

// Made from the kernel's first link by tools/kernel_symbols; not there in that first link.
extern "C" {
[[gnu::weak]] extern const pulse::u32 kernel_symbol_count;
[[gnu::weak]] extern const pulse::u64 kernel_symbol_addresses[];
[[gnu::weak]] extern const char* const kernel_symbol_names[];
extern const char kernel_text_begin[], kernel_text_end[];
}

namespace pulse {

std::string_view symbol_at(u64 address, u64& offset) {
  const bool in_code =
      address >= reinterpret_cast<u64>(kernel_text_begin) && address < reinterpret_cast<u64>(kernel_text_end);
  if (&kernel_symbol_count == nullptr || !in_code) return {};
  u32 low = 0;
  u32 high = kernel_symbol_count;
  while (low < high) {
    const u32 middle = low + (high - low) / 2;
    if (kernel_symbol_addresses[middle] <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return {};
  offset = address - kernel_symbol_addresses[low - 1];
  return kernel_symbol_names[low - 1];
}

}  // namespace pulse
