#include "kernel/memory/page_tables.hpp"

#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

constexpr unsigned index_bits = 9;
constexpr u64 index_mask = 511;
constexpr unsigned top_level = 3;

u64* table_at(u64 physical) { return static_cast<u64*>(direct(physical)); }
u64 index_of(u64 address, unsigned level) { return address >> (page_bits + index_bits * level) & index_mask; }

void release_tables(u64 table, unsigned level, unsigned entries) {
  for (unsigned i = 0; level > 0 && i < entries; ++i) {
    const u64 entry = table_at(table)[i];
    if ((entry & page_flag::present) != 0 && (entry & page_flag::large) == 0) {
      release_tables(entry & page_flag::address, level - 1, 512);
    }
  }
  free_page(table);
}

}  // namespace

void* direct(u64 physical) { return reinterpret_cast<void*>(DIRECT_MAP + physical); }
u64 physical_of_direct(const void* pointer) { return reinterpret_cast<u64>(pointer) - DIRECT_MAP; }

u64* PageTables::table_entry(u64 address, unsigned level, Missing missing) {
  u64 table = root_;
  for (unsigned at = top_level; at > level; --at) {
    u64& entry = table_at(table)[index_of(address, at)];
    if ((entry & page_flag::present) == 0) {
      if (missing == Missing::Null) return nullptr;
      const auto page = allocate_zeroed_page();
      if (!page) return nullptr;
      entry = *page | page_flag::present | page_flag::writable | (address < USER_END ? page_flag::user : 0);
    }
    table = entry & page_flag::address;
  }
  return &table_at(table)[index_of(address, level)];
}

u64* PageTables::entry(u64 address, Missing missing) { return table_entry(address, 0, missing); }

u64* PageTables::next_entry(u64& page, u64 end) {
  while (page < end) {
    u64 table = root_;
    unsigned level = top_level;
    for (; level > 0; --level) {
      const u64 entry = table_at(table)[index_of(page, level)];
      if ((entry & page_flag::present) == 0) break;
      table = entry & page_flag::address;
    }
    if (level == 0) return &table_at(table)[index_of(page, 0)];
    const u64 span = u64{1} << (page_bits + index_bits * level);
    page = (page / span + 1) * span;
  }
  return nullptr;
}

bool PageTables::map(u64 address, u64 physical, u64 flags) {
  u64* place = entry(address, Missing::Make);
  if (place == nullptr) return false;
  *place = physical | flags | page_flag::present;
  return true;
}

bool PageTables::map_large(u64 address, u64 physical, u64 flags) {
  u64* place = table_entry(address, 1, Missing::Make);
  if (place == nullptr) return false;
  *place = physical | flags | page_flag::present | page_flag::large;
  return true;
}

u64 PageTables::unmap(u64 address) {
  u64* place = entry(address, Missing::Null);
  if (place == nullptr) return 0;
  const u64 was = *place;
  *place = 0;
  invalidate_page(address);
  return was;
}

void PageTables::release_user_tables() { release_tables(root_, top_level, 256); }

}  // namespace pulse
