#include "machine/boot/cpu_entry.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {

// Segment attributes in BootSegment's form: G, D/B, L above; present, S, type (accessed) below.
constexpr u16 flat_code32 = 0xC09B;
constexpr u16 flat_code64 = 0xA09B;
constexpr u16 flat_data = 0xC093;
constexpr u16 busy_tss32 = 0x008B;
constexpr u16 ldt = 0x0082;
constexpr u16 real_code = 0x009B;
constexpr u16 real_data = 0x0093;

constexpr u16 code_selector = 0x10;  // __BOOT_CS, boot.rst "32-bit Boot Protocol"
constexpr u16 data_selector = 0x18;  // __BOOT_DS
constexpr u16 task_selector = 0x20;
constexpr u32 task_limit = 0x67;  // Xen, docs/misc/pvh: TR with base 0 and limit 0x67

constexpr u64 cr0_protection = mask_of<u64>(0);
constexpr u64 cr0_extension_type = mask_of<u64>(4);  // always 1 since the 486
constexpr u64 cr0_paging = mask_of<u64>(31);
constexpr u64 cr4_physical_address_extension = mask_of<u64>(5);
constexpr u64 efer_long_mode_enable = mask_of<u64>(8);
constexpr u64 efer_long_mode_active = mask_of<u64>(10);

// Intel SDM volume 3, 3.4.5. `limit` in the descriptor's own unit.
constexpr u64 descriptor(u32 limit, u16 attributes) {
  return u64{limit & 0xFFFF} | u64{attributes} << 40 | u64{bits(limit, 19, 16)} << 48;
}

BootResult<BootState> flat_state(Loading& loading, u64 entry, u16 code) {
  ByteBuilder table;
  table.put64(0);
  table.put64(0);
  table.put64(descriptor(0xFFFFF, code));
  table.put64(descriptor(0xFFFFF, flat_data));
  table.put64(descriptor(task_limit, busy_tss32));
  table.put64(0);  // upper half of the TSS descriptor in 64-bit mode
  const auto place = loading.place_structure(table.size(), 16, "descriptor table");
  if (!place) return std::unexpected(place.error());
  if (auto done = loading.put(*place, table.bytes(), "descriptor table"); !done) return std::unexpected(done.error());

  BootState state;
  state.mode = BootState::Mode::Protected32;
  state.rip = entry;
  state.cs = {code_selector, 0, 0xFFFF'FFFF, code};
  state.ds = state.es = state.fs = state.gs = state.ss = {data_selector, 0, 0xFFFF'FFFF, flat_data};
  state.tr = {task_selector, 0, task_limit, busy_tss32};
  state.ldtr = {0, 0, 0xFFFF, ldt};
  state.gdtr = {*place, static_cast<u16>(table.size() - 1)};
  state.cr0 = cr0_protection | cr0_extension_type;
  return state;
}

}  // namespace

BootResult<BootState> enter_protected_mode(Loading& loading, u64 entry) {
  return flat_state(loading, entry, flat_code32);
}

BootResult<BootState> enter_long_mode(Loading& loading, u64 entry) {
  auto state = flat_state(loading, entry, flat_code64);
  if (!state) return state;

  // One PML4, one page-directory-pointer table, four page directories (Intel SDM volume 3, 4.5).
  constexpr u64 page = MemoryBus::page_size;
  constexpr u64 present_writable = 3;
  constexpr u64 large = mask_of<u64>(7);
  ByteBuilder tables(6 * page);
  const auto place = loading.place_structure(tables.size(), page, "page tables");
  if (!place) return std::unexpected(place.error());
  tables.set64(0, (*place + page) | present_writable);
  for (u64 gigabyte = 0; gigabyte < 4; ++gigabyte) {
    tables.set64(page + gigabyte * 8, (*place + (2 + gigabyte) * page) | present_writable);
  }
  for (u64 entry_2m = 0; entry_2m < 4 * 512; ++entry_2m) {
    tables.set64(2 * page + entry_2m * 8, entry_2m * 2 * mib | present_writable | large);
  }
  if (auto done = loading.put(*place, tables.bytes(), "page tables"); !done) return std::unexpected(done.error());

  state->mode = BootState::Mode::Long64;
  state->cr3 = *place;
  state->cr0 |= cr0_paging;
  state->cr4 = cr4_physical_address_extension;
  state->efer = efer_long_mode_enable | efer_long_mode_active;
  return state;
}

BootState enter_real_mode(u16 code_segment, u16 data_segment, u16 stack_pointer) {
  BootState state;
  state.mode = BootState::Mode::Real16;
  state.cs = {code_segment, u64{code_segment} << 4, 0xFFFF, real_code};
  state.ds = state.es = state.fs = state.gs = state.ss = {data_segment, u64{data_segment} << 4, 0xFFFF, real_data};
  state.tr = {0, 0, 0xFFFF, busy_tss32};
  state.ldtr = {0, 0, 0xFFFF, ldt};
  state.gdtr = {0, 0xFFFF};
  state.idtr = {0, 0x3FF};
  state.cr0 = cr0_extension_type;
  state.gpr[BootState::rsp] = stack_pointer;
  return state;
}

}  // namespace vitrine
