#include "kernel/memory/page_allocator.hpp"

#include <bit>

#include "kernel/core/assert.hpp"

namespace pulse {

void PageAllocator::initialise(std::span<Page> table) {
  table_ = table;
  for (Page& page : table_) page = Page{};
  lists_.fill(Page::none);
  free_pages_ = 0;
  all_pages_ = 0;
}

void PageAllocator::insert(u32 page, u8 order) {
  Page& entry = table_[page];
  entry.order = order;
  entry.is_free = true;
  entry.previous = Page::none;
  entry.next = lists_[order];
  if (entry.next != Page::none) table_[entry.next].previous = page;
  lists_[order] = page;
}

void PageAllocator::take_out(u32 page) {
  Page& entry = table_[page];
  entry.is_free = false;
  if (entry.previous != Page::none) {
    table_[entry.previous].next = entry.next;
  } else {
    lists_[entry.order] = entry.next;
  }
  if (entry.next != Page::none) table_[entry.next].previous = entry.previous;
}

void PageAllocator::give_back(u32 page, u8 order) {
  free_pages_ += u64{1} << order;
  while (order + 1 < orders) {
    const u32 buddy = page ^ (u32{1} << order);
    if (buddy >= table_.size() || !table_[buddy].is_free || table_[buddy].order != order) break;
    take_out(buddy);
    page &= ~(u32{1} << order);
    ++order;
  }
  insert(page, order);
}

void PageAllocator::add(u32 begin, u32 end) {
  for (u32 page = begin; page < end; ++page) table_[page].is_ram = true;
  all_pages_ += end - begin;
  while (begin < end) {
    const auto aligned = static_cast<u8>(begin == 0 ? orders - 1 : std::countr_zero(begin));
    u8 order = aligned < orders ? aligned : orders - 1;
    while (begin + (u32{1} << order) > end) --order;
    give_back(begin, order);
    begin += u32{1} << order;
  }
}

std::optional<u32> PageAllocator::allocate(u8 order) {
  u8 found = order;
  while (found < orders && lists_[found] == Page::none) ++found;
  if (found >= orders) return std::nullopt;
  const u32 page = lists_[found];
  take_out(page);
  while (found > order) {
    --found;
    insert(page + (u32{1} << found), found);
  }
  table_[page].order = order;
  table_[page].references = 1;
  free_pages_ -= u64{1} << order;
  return page;
}

void PageAllocator::share(u32 page) {
  PULSE_ASSERT(table_[page].references > 0);
  ++table_[page].references;
}

bool PageAllocator::release(u32 page) {
  PULSE_ASSERT(table_[page].references > 0);
  if (--table_[page].references > 0) return false;
  give_back(page, table_[page].order);
  return true;
}

}  // namespace pulse
