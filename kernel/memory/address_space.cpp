#include "kernel/memory/address_space.hpp"

#include <algorithm>
#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/memory/kernel_buffer.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

constexpr u64 mappings_end = 0x7FFF'F000'0000;  // new mappings grow down from here; the stack lies above
constexpr u64 lowest_address = 0x1'0000;

u64 entry_flags(const Area& area) {
  u64 flags = page_flag::user;
  if ((area.protection & protection::write) != 0) flags |= page_flag::writable;
  if ((area.protection & protection::execute) == 0) flags |= page_flag::no_execute;
  return flags;
}

bool allows(const Area& area, AddressSpace::Access access) {
  switch (access) {
    case AddressSpace::Access::Read:
      return area.protection != 0;  // x86 can't forbid reading alone
    case AddressSpace::Access::Write:
      return (area.protection & protection::write) != 0;
    case AddressSpace::Access::Execute:
      return (area.protection & protection::execute) != 0;
  }
  return false;
}

/// Also one that nobody may touch now (PROT_NONE): the kernel's own copies could, if its entry were present.
bool holds_page(u64 entry) { return (entry & (page_flag::present | page_flag::kept)) != 0; }

bool is_range(u64 address, u64 size) {
  return address % page_bytes == 0 && size != 0 && address <= USER_END && size <= USER_END - address;
}

}  // namespace

Result<Ref<AddressSpace>> AddressSpace::make() {
  const auto tables = new_page_tables();
  if (!tables) return fail(Errno::NoMemory);
  return Ref<AddressSpace>(new AddressSpace(*tables));
}

AddressSpace::~AddressSpace() {
  for (const Area& area : areas_) drop_pages(area.begin, area.end);
  tables_.release_user_tables();
}

Area* AddressSpace::find(u64 address) {
  const auto area = std::ranges::upper_bound(areas_, address, {}, &Area::end);
  return area != areas_.end() && area->begin <= address ? &*area : nullptr;
}

bool AddressSpace::is_free(u64 begin, u64 end) const {
  const auto area = std::ranges::upper_bound(areas_, begin, {}, &Area::end);
  return area == areas_.end() || area->begin >= end;
}

u64 AddressSpace::find_room(u64 size) const {
  u64 end = mappings_end;
  for (auto area = areas_.rbegin(); area != areas_.rend(); ++area) {
    if (area->begin >= end) continue;
    if (area->end <= end && end - area->end >= size) break;
    end = std::min(end, area->begin);
  }
  return end >= size + lowest_address ? end - size : 0;
}

u64 AddressSpace::stack_size_for(u64 limit) {
  constexpr u64 least = u64{128} << 10, usual = u64{8} << 20, most = u64{128} << 20;
  return limit == ~u64{0} ? usual : page_floor(std::clamp(limit, least, most));
}

bool AddressSpace::has_room_for(u64 more) const {
  if (most_bytes == ~u64{0}) return true;
  u64 sum = more;
  for (const Area& area : areas_) sum += area.end - area.begin;
  return sum <= most_bytes;
}

void AddressSpace::insert(Area area) {
  const auto place = std::ranges::upper_bound(areas_, area.begin, {}, &Area::begin);
  areas_.insert(place, std::move(area));
}

void AddressSpace::split_at(u64 address) {
  Area* const area = find(address);
  if (area == nullptr || area->begin == address) return;
  Area upper = *area;
  upper.begin = address;
  upper.node_offset += address - area->begin;
  area->end = address;
  insert(std::move(upper));
}

void AddressSpace::flush_elsewhere() const {
  const u64 here = u64{1} << this_cpu().number;
  if ((cpus_ & ~here) != 0) flush_pages_on(cpus_ & ~here);
}

void AddressSpace::drop_pages(u64 begin, u64 end) {
  // A page may be freed only when no CPU can reach it any more.
  constexpr std::size_t batch = 64;
  u64 dropped[batch];
  std::size_t count = 0;
  const auto free_batch = [&] {
    if (count > 0) flush_elsewhere();
    while (count > 0) free_page(dropped[--count]);
  };
  u64 page = begin;
  for (u64* entry = nullptr; (entry = tables_.next_entry(page, end)) != nullptr; page += page_bytes) {
    if (!holds_page(*entry)) continue;
    dropped[count++] = *entry & page_flag::address;
    *entry = 0;
    invalidate_page(page);
    if (count == batch) free_batch();
  }
  free_batch();
}

u64 AddressSpace::resident_pages() const {
  u64 count = 0;
  PageTables tables = tables_;
  for (const Area& area : areas_) {
    u64 page = area.begin;
    for (const u64* entry = nullptr; (entry = tables.next_entry(page, area.end)) != nullptr; page += page_bytes) {
      if ((*entry & page_flag::present) != 0) ++count;
    }
  }
  return count;
}

Result<u64> AddressSpace::map(const Request& request) {
  const u64 size = page_ceiling(request.size);
  if (request.size == 0 || request.node_offset % page_bytes != 0) return fail(Errno::Invalid);
  if (size < request.size || size > USER_END) return fail(Errno::NoMemory);
  if (areas_.size() + 2 > most_areas || !has_room_for(size)) return fail(Errno::NoMemory);
  u64 address = page_floor(request.address);
  if ((request.flags & (map_flag::fixed | map_flag::fixed_no_replace)) != 0) {
    if (request.address % page_bytes != 0) return fail(Errno::Invalid);
    if (!is_range(address, size) || address < lowest_address) return fail(Errno::NoMemory);
    if (!is_free(address, address + size)) {
      if ((request.flags & map_flag::fixed_no_replace) != 0) return fail(Errno::Exists);
      if (const auto done = unmap(address, size); !done) return fail(done.error());
    }
  } else if (address < lowest_address || !is_range(address, size) || !is_free(address, address + size)) {
    address = find_room(size);
    if (address == 0) return fail(Errno::NoMemory);
  }
  const u64 node_bytes = std::min(request.node_bytes, size);
  insert({.begin = address,
          .end = address + size,
          .protection = request.protection & (protection::read | protection::write | protection::execute),
          .shared = (request.flags & map_flag::shared) != 0,
          .node = request.node,
          .node_offset = request.node_offset,
          .node_end = address + node_bytes});
  return address;
}

Result<void> AddressSpace::unmap(u64 address, u64 size) {
  size = page_ceiling(size);
  if (!is_range(address, size)) return fail(Errno::Invalid);
  if (areas_.size() + 2 > most_areas) return fail(Errno::NoMemory);
  split_at(address);
  split_at(address + size);
  std::erase_if(areas_, [&](const Area& area) { return area.begin >= address && area.end <= address + size; });
  drop_pages(address, address + size);
  return {};
}

Result<void> AddressSpace::protect(u64 address, u64 size, u32 wanted) {
  size = page_ceiling(size);
  if (size == 0) return {};
  if (!is_range(address, size)) return fail(Errno::Invalid);
  if (areas_.size() + 2 > most_areas) return fail(Errno::NoMemory);
  for (u64 at = address; at < address + size;) {
    const Area* const area = find(at);
    if (area == nullptr) return fail(Errno::NoMemory);
    at = area->end;
  }
  split_at(address);
  split_at(address + size);
  for (Area& area : areas_) {
    if (area.begin < address || area.end > address + size) continue;
    area.protection = wanted;
    u64 page = area.begin;
    for (u64* entry = nullptr; (entry = tables_.next_entry(page, area.end)) != nullptr; page += page_bytes) {
      if (!holds_page(*entry)) continue;
      u64 flags = entry_flags(area);
      // A page that may still be shared becomes writable by a fault.
      const bool keeps_sharing = !area.shared && (flags & page_flag::writable) != 0;
      if (keeps_sharing) flags = (flags & ~page_flag::writable) | page_flag::copy_on_write;
      *entry = (*entry & page_flag::address) | flags | (wanted != 0 ? page_flag::present : page_flag::kept);
      invalidate_page(page);
    }
  }
  flush_elsewhere();
  return {};
}

Result<void> AddressSpace::advise(u64 address, u64 size, bool drop) {
  size = page_ceiling(size);
  if (size == 0) return {};
  if (!is_range(address, size)) return fail(Errno::Invalid);
  for (u64 at = address; at < address + size;) {
    const Area* const area = find(at);
    if (area == nullptr) return fail(Errno::NoMemory);
    const u64 end = std::min(area->end, address + size);
    if (drop && !area->shared) drop_pages(at, end);
    at = end;
  }
  return {};
}

u64 AddressSpace::set_break(u64 wanted) {
  if (wanted < break_begin_ || wanted > USER_END) return break_end_;
  const u64 old_end = page_ceiling(break_end_);
  const u64 new_end = page_ceiling(wanted);
  if (new_end > old_end) {
    if (!is_free(old_end, new_end) || !has_room_for(new_end - old_end)) return break_end_;
    Area* const below = old_end > page_ceiling(break_begin_) ? find(old_end - 1) : nullptr;
    if (below != nullptr && !below->node) {
      below->end = new_end;
    } else if (!map({.address = old_end,
                     .size = new_end - old_end,
                     .protection = protection::read | protection::write,
                     .flags = map_flag::fixed | map_flag::is_private})) {
      return break_end_;
    }
  } else if (new_end < old_end && !unmap(new_end, old_end - new_end)) {
    return break_end_;
  }
  break_end_ = wanted;
  return break_end_;
}

Result<Ref<AddressSpace>> AddressSpace::copy() {
  auto made = make();
  if (!made) return made;
  AddressSpace& other = **made;
  other.areas_ = areas_;
  other.most_bytes = most_bytes;
  other.most_stack = most_stack;
  other.break_begin_ = break_begin_;
  other.break_end_ = break_end_;
  for (const Area& area : areas_) {
    u64 page = area.begin;
    for (u64* entry = nullptr; (entry = tables_.next_entry(page, area.end)) != nullptr; page += page_bytes) {
      if (!holds_page(*entry)) continue;
      u64* const copied = other.tables_.entry(page, PageTables::Missing::Make);
      if (copied == nullptr) return fail(Errno::NoMemory);
      if (!area.shared && (*entry & page_flag::writable) != 0) {
        *entry = (*entry & ~page_flag::writable) | page_flag::copy_on_write;
        invalidate_page(page);
      }
      share_page(*entry & page_flag::address);
      *copied = *entry & ~(page_flag::accessed | page_flag::dirty);
    }
  }
  flush_elsewhere();
  return made;
}

AddressSpace::Fault AddressSpace::fault(u64 address, Access access) {
  const Area* const area = find(address);
  if (area == nullptr) return Fault::NotMapped;
  if (!allows(*area, access)) return Fault::Forbidden;
  const u64 page = page_floor(address);
  u64* const entry = tables_.entry(page, PageTables::Missing::Make);
  if (entry == nullptr) return Fault::NoMemory;
  if ((*entry & page_flag::present) == 0) return fill(*area, page, *entry, access);
  if (access == Access::Write && (*entry & page_flag::copy_on_write) != 0) return copy_on_write(page, *entry);
  return Fault::Resolved;  // another thread was here before
}

AddressSpace::Fault AddressSpace::fill(const Area& area, u64 page, u64& entry, Access access) {
  if (area.end == stack_top && stack_top - page > most_stack) return Fault::NotMapped;
  u64 flags = entry_flags(area);
  const u64 offset = area.node_offset + (page - area.begin);
  const bool shows_node = area.node && page < area.node_end;
  if (shows_node && (area.shared || page + page_bytes <= area.node_end)) {
    if (const auto physical = area.node->page_at(offset)) {
      if (!area.shared && (flags & page_flag::writable) != 0) {
        flags = (flags & ~page_flag::writable) | page_flag::copy_on_write;
      }
      entry = *physical | flags | page_flag::present;
      return access == Access::Write && !area.shared ? copy_on_write(page, entry) : Fault::Resolved;
    }
    if (area.shared) return Fault::BehindFile;
  }
  const auto physical = allocate_zeroed_page();
  if (!physical) return Fault::NoMemory;
  if (shows_node) return read_page(area, page, *physical);
  entry = *physical | flags | page_flag::present;
  return Fault::Resolved;
}

/// The page's bytes may come from a disk, which takes its time: others may change areas and tables meanwhile.
AddressSpace::Fault AddressSpace::read_page(const Area& area, u64 page, u64 physical) {
  const Ref<Node> node = area.node;
  const u64 offset = area.node_offset + (page - area.begin);
  KernelBuffer bytes(direct(physical), std::min(page_bytes, area.node_end - page));
  const bool was_read = node->read_at(offset, bytes).has_value();
  const Area* const still = find(page);
  u64* const entry = tables_.entry(page, PageTables::Missing::Make);
  const bool is_wanted = still != nullptr && still->node == node &&
                         still->node_offset + (page - still->begin) == offset && entry != nullptr &&
                         !holds_page(*entry);
  if (!was_read || !is_wanted) {
    free_page(physical);
    return was_read ? Fault::Resolved : Fault::BehindFile;  // resolved: it faults again, and then we see
  }
  *entry = physical | entry_flags(*still) | page_flag::present;
  return Fault::Resolved;
}

AddressSpace::Fault AddressSpace::copy_on_write(u64 page, u64& entry) {
  const u64 physical = entry & page_flag::address;
  if (page_references(physical) > 1) {
    const auto copied = allocate_page();
    if (!copied) return Fault::NoMemory;
    std::memcpy(direct(*copied), direct(physical), page_bytes);
    entry = (entry & ~(page_flag::address | page_flag::copy_on_write)) | *copied | page_flag::writable;
    invalidate_page(page);
    flush_elsewhere();
    free_page(physical);
    return Fault::Resolved;
  }
  entry = (entry & ~page_flag::copy_on_write) | page_flag::writable;
  invalidate_page(page);
  return Fault::Resolved;
}

}  // namespace pulse
