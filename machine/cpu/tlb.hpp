// The soft TLB: what turns a linear address into a host address in one compare and one add.
//
// Three tables (read, write, execute) for each way of looking at memory. An entry exists only if the access needs no
// further check or effect: the write table has no entry for a page that is clean in its PTE, holds decoded code, is a
// device's or has a watchpoint. All of those go the slow way and cost the fast one nothing.
#pragma once

#include <array>

#include "base/types.hpp"

namespace vitrine {

enum class Access : u8 { Read = 0, Write = 1, Execute = 2 };

struct TlbEntry {
  u64 tag = invalid;  ///< linear address of the page
  u64 addend = 0;     ///< host address minus linear address; for Execute: physical page address

  static constexpr u64 invalid = 1;  ///< never equal to a page address
};

/// Views of memory: by privilege, and whether SMAP hides user pages just now.
enum class MemoryView : u8 { Supervisor = 0, User = 1, SupervisorWithUserPages = 2 };

struct TlbBank {
  static constexpr unsigned data_entries = 1024;
  static constexpr unsigned code_entries = 256;
  TlbEntry read[data_entries];
  TlbEntry write[data_entries];
  TlbEntry execute[code_entries];
  // Filled slots since the last flush, so that a flush costs what was filled. Past capacity everything is cleared.
  static constexpr unsigned most_filled = 512;
  u16 filled[most_filled];
  unsigned filled_count = 0;

  // Neighbours never meet, not even at the end of the address space: so the last byte's page stands for the first one's
  // too. Nor do pages that are just a power of two apart, as a stack and a variable easily are.
  static constexpr unsigned data_slot(u64 linear) { return ((linear >> 12) + (linear >> 22)) & (data_entries - 1); }
  static unsigned code_slot(u64 linear) { return (linear >> 12 ^ linear >> 20) & (code_entries - 1); }
  void note(unsigned table, unsigned slot) {
    if (filled_count < most_filled) filled[filled_count] = static_cast<u16>(table << 10 | slot);
    if (filled_count <= most_filled) ++filled_count;  // stays past capacity: it must not wrap around
  }
  void flush() {
    if (filled_count > most_filled) {
      for (TlbEntry& entry : read) entry.tag = TlbEntry::invalid;
      for (TlbEntry& entry : write) entry.tag = TlbEntry::invalid;
      for (TlbEntry& entry : execute) entry.tag = TlbEntry::invalid;
    } else {
      for (unsigned i = 0; i < filled_count; ++i) {
        const unsigned slot = filled[i] & 0x3FF;
        (filled[i] >> 10 == 0 ? read : filled[i] >> 10 == 1 ? write : execute)[slot].tag = TlbEntry::invalid;
      }
    }
    filled_count = 0;
  }
  /// True if there was one for execution.
  bool flush_page(u64 linear) {
    const u64 page = linear & ~u64{0xFFF};
    if (read[data_slot(page)].tag == page) read[data_slot(page)].tag = TlbEntry::invalid;
    if (write[data_slot(page)].tag == page) write[data_slot(page)].tag = TlbEntry::invalid;
    if (execute[code_slot(page)].tag != page) return false;
    execute[code_slot(page)].tag = TlbEntry::invalid;
    return true;
  }
};

/// Which large pages the TLB may hold pieces of. All its entries are for 4 KiB, but what drops a page's translation
/// must drop all of them (SDM vol. 3A §4.10.2.3). Errs on the side of "may": it is a hash.
class LargePages {
 public:
  void note(u64 linear, unsigned page_bits) {
    const unsigned at = place(linear, page_bits);
    seen_[at / 64] |= u64{1} << at % 64;
    any_ = true;
  }
  [[nodiscard]] bool may_hold(u64 linear) const {
    return any_ && (seen(place(linear, 21)) || seen(place(linear, 22)) || seen(place(linear, 30)));
  }
  void clear() {
    if (any_) *this = LargePages{};
  }

 private:
  static unsigned place(u64 linear, unsigned page_bits) {
    return static_cast<unsigned>(((linear >> page_bits) * 64 + page_bits) * 0x9E3779B97F4A7C15 >> 54);
  }
  [[nodiscard]] bool seen(unsigned at) const { return (seen_[at / 64] >> at % 64 & 1) != 0; }
  std::array<u64, 16> seen_{};
  bool any_ = false;
};

}  // namespace vitrine
