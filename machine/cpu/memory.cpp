// The slow paths of memory access: what the soft TLB can't answer at once.
#include <algorithm>
#include <cstring>

#include "machine/cpu/access.hpp"

namespace vitrine {

namespace {
constexpr u64 page_mask = ~u64{0xFFF};
constexpr unsigned bank_count = 4;
/// The bank that is never filled: every access takes the slow path, which checks alignment and watchpoints.
constexpr unsigned careful_bank = 3;

/// Data breakpoints: DR7.RW != 00 of an enabled one (SDM vol. 3B §17.2.4).
bool watches_data(u64 control) {
  if ((control & 0xFF) == 0) return false;
  bool watches = false;
  for (unsigned i = 0; i < 4; ++i) watches |= (control >> (2 * i) & 3) != 0 && (control >> (16 + 4 * i) & 3) != 0;
  return watches;
}
}  // namespace

void Cpu::update_view() {
  const bool user = cpl == 3;
  const bool checks_alignment = user && (state.cr0 & cr0_bit::am) != 0 && state.has(flag::alignment_check);
  const bool sees_user_pages = (state.cr4 & cr4_bit::smap) != 0 && state.has(flag::alignment_check);
  view = user ? MemoryView::User : sees_user_pages ? MemoryView::SupervisorWithUserPages : MemoryView::Supervisor;
  tlb = &banks_[checks_alignment || watches_data(state.dr[7]) ? careful_bank : static_cast<unsigned>(view)];
}

void Cpu::update_mode() {
  const Segment& code = state.segments[cs];
  u8 bits = 0;
  if (state.long_mode() && code.long_mode()) {
    bits = CodeMode::code64;
  } else if (code.big() && state.protected_mode() && !state.v86()) {
    bits = CodeMode::code32;
  } else if (code.big()) {
    bits = CodeMode::code32;  // entered real mode with a big CS still loaded
  }
  if (state.segments[ss].big()) bits |= CodeMode::stack32;
  if ((bits & CodeMode::size_mask) != CodeMode::code64) {
    const auto flat = [](const Segment& segment, bool code_segment) {
      return segment.usable && segment.base == 0 && segment.limit == 0xFFFFFFFF &&
             (code_segment || (segment.writable() && !segment.expand_down()));
    };
    if (flat(code, true) && flat(state.segments[ds], false) && flat(state.segments[es], false) &&
        flat(state.segments[ss], false)) {
      bits |= CodeMode::flat;
    }
  } else {
    bits |= CodeMode::flat;
    state.segments[cs].base = 0;  // ignored in 64-bit mode (SDM vol. 3A §3.4.4), and so by all who add it to RIP
  }
  const u8 privilege = !state.protected_mode() ? 0 : state.v86() ? 3 : state.segments[ss].dpl();
  if (performance.active() && privilege != cpl) [[unlikely]]
    change_privilege(privilege);
  cpl = privilege;
  if (cpl == 3) bits |= CodeMode::user;
  if (state.real_or_v86()) bits |= CodeMode::real;
  mode.value = bits;
  update_view();
}

void Cpu::flush_tlb() {
  for (unsigned i = 0; i < bank_count; ++i) banks_[i].flush();
  forget_device_pages();
  code_views.forget();
  large_pages_.clear();
  writes_past_protection_ = false;
  ++generations[fetch_generation];
}

void Cpu::write_protection_set() {
  if (writes_past_protection_) flush_tlb();
}

void Cpu::flush_tlb_non_global() {
  // Global entries are dropped too: allowed (SDM vol. 3A §4.10.4.1), and one set of tags stays simple.
  flush_tlb();
}

void Cpu::flush_tlb_page(u64 linear) {
  drop_translations(linear);
  ++generations[fetch_generation];  // links may stand for translations that are not in the TLB any more
}

void Cpu::drop_translations(u64 linear) {
  forget_device_pages();
  if (large_pages_.may_hold(linear)) return flush_tlb();
  bool code = false;
  for (unsigned i = 0; i < bank_count; ++i) code |= banks_[i].flush_page(linear);
  if (code) ++generations[fetch_generation];
}

void Cpu::fill(TlbBank& bank, u64 linear, const Translation& translation, Access access) {
  const u64 page = linear & page_mask;
  if (translation.page_bits != 12) large_pages_.note(linear, translation.page_bits);
  if (access == Access::Execute) {
    const unsigned slot = TlbBank::code_slot(linear);
    bank.execute[slot] = {page, translation.physical & page_mask};
    bank.note(2, slot);
    const bool cacheable = memory.page(PhysicalAddress(translation.physical)).host != nullptr;
    if (cacheable && code_views.add(translation.physical, linear)) ++generations[fetch_generation];
    return;
  }
  const MemoryBus::Page target = memory.page(PhysicalAddress(translation.physical));
  if (target.host == nullptr || (apic != nullptr && apic->selects(translation.physical))) return;
  const unsigned slot = TlbBank::data_slot(linear);
  const u64 addend = reinterpret_cast<u64>(target.host) - page;
  const bool may_write = translation.writable && target.kind == MemoryBus::Kind::Ram && !any_code(translation.physical);
  // The other table gets the page too, but only where that drops no other page: else a loop that copies between two
  // pages of one slot would miss at each access.
  const auto put = [&](TlbEntry& entry, unsigned table, Access wants) {
    if (access != wants && entry.tag != TlbEntry::invalid && entry.tag != page) return;
    entry = {page, addend};
    bank.note(table, slot);
  };
  put(bank.read[slot], 0, Access::Read);
  if (may_write) put(bank.write[slot], 1, Access::Write);
}

void Cpu::drop_own_code(u64 physical, u64 size) {
  if (!blocks.invalidate(physical, size)) return;
  ++generations[code_generation];
  ++generations[fetch_generation];
}

void Cpu::invalidate_code(u64 physical, u64 size) {
  for (Cpu* cpu : group.cpus) cpu->drop_own_code(physical, size);
}

bool Cpu::any_code_touched(u64 physical, u64 size) const {
  return std::ranges::any_of(group.cpus, [&](const Cpu* cpu) { return cpu->blocks.touches_code(physical, size); });
}

void Cpu::protect_code(u64 physical) {
  const MemoryBus::Page target = memory.page(PhysicalAddress(physical));
  for (Cpu* cpu : group.cpus) {
    for (unsigned i = 0; i < bank_count; ++i) {
      if (cpu->banks_[i].filled_count == 0) continue;
      for (TlbEntry& entry : cpu->banks_[i].write) {
        if (entry.tag != TlbEntry::invalid && entry.tag + entry.addend == reinterpret_cast<u64>(target.host)) {
          entry.tag = TlbEntry::invalid;
        }
      }
    }
  }
}

void Cpu::ram_written(PhysicalAddress address, u64 size) { drop_own_code(address.value, size); }

void Cpu::set_a20(bool enabled) {
  a20_mask = enabled ? ~u64{0} : ~(u64{1} << 20);
  flush_tlb();
}

void Cpu::check_watchpoints(u64 linear, unsigned size, Access access) {
  for (unsigned i = 0; i < 4; ++i) {
    if ((state.dr[7] >> (2 * i) & 3) == 0) continue;
    const unsigned kind = state.dr[7] >> (16 + 4 * i) & 3;  // 1: write, 3: read or write
    if (kind != 3 && !(kind == 1 && access == Access::Write)) continue;
    const unsigned length_code = state.dr[7] >> (18 + 4 * i) & 3;
    const u64 length = length_code == 2 ? 8 : length_code + 1;
    const u64 start = state.dr[i] & ~(length - 1);
    if (linear < start + length && start < linear + size) state.pending_debug |= u64{1} << i;
  }
}

bool Cpu::memory_slow(const Operation* operation, u64 linear, void* data, unsigned size, Access access,
                      bool for_write_back, MemoryView as) {
  const bool careful = operation != nullptr && tlb == &banks_[careful_bank];
  if (operation != nullptr && !careful && data != nullptr && !for_write_back) {
    const bool writes = access == Access::Write;
    if (const DevicePage* known = known_device(linear, size, writes, as); known != nullptr) {
      if (!alone) {
        leave = Leave::Alone;
        return false;
      }
      access_device(operation, known->physical | (linear & ~page_mask), static_cast<u8*>(data), size, writes);
      return true;
    }
  }
  if (careful) {
    // SDM vol. 3A §6.15, #AC: at CPL 3 with AM and AC, on an operand that isn't aligned to its size.
    const bool checks = cpl == 3 && (state.cr0 & cr0_bit::am) != 0 && state.has(flag::alignment_check);
    const unsigned natural = size > 8 ? 8 : size;
    if (checks && (linear & (natural - 1)) != 0 && (natural & (natural - 1)) == 0) {
      raise(vector::alignment_check, 0, FailedCheck::Alignment, linear);
      return false;
    }
  }
  const unsigned in_first = std::min<unsigned>(size, 4096 - (linear & 0xFFF));
  struct Piece {
    u64 linear;
    unsigned size;
    Translation translation;
    MemoryBus::Page page;
  } pieces[2];
  const unsigned count = in_first == size ? 1 : 2;
  // Compatibility mode's addresses wrap at 4 GiB too; the CPU's own accesses are 64 bits wide there.
  const bool wraps = operation != nullptr ? !mode.is64() : !state.long_mode();
  for (unsigned i = 0; i < count; ++i) {
    Piece& piece = pieces[i];
    piece.linear = i == 0 ? linear : linear + in_first;
    if (wraps) piece.linear = static_cast<u32>(piece.linear);
    piece.size = i == 0 ? in_first : size - in_first;
    DevicePage& known = device_pages_[access == Access::Write ? 1 : 0];
    const bool remembered = known.tag == (piece.linear & page_mask) && known.view == as;
    if (remembered) {
      piece.translation = {.physical = known.physical | (piece.linear & ~page_mask)};
    } else if (!translate(piece.linear, access, as, piece.translation)) {
      leave = Leave::Fault;
      if (fault.vector == vector::general_protection && operation != nullptr && operation->segment == ss) {
        fault.vector = vector::stack_fault;  // a non-canonical stack address (SDM vol. 1 §3.3.7.1)
      }
      return false;
    }
    // The local APIC's page comes before whatever else is there.
    if (!remembered && (apic == nullptr || !apic->selects(piece.translation.physical))) {
      piece.page = memory.page(PhysicalAddress(piece.translation.physical));
    }
    const bool device = piece.page.host == nullptr;
    if (device) known = {piece.linear & page_mask, piece.translation.physical & page_mask, as};
    const bool code = access == Access::Write && !device && any_code(piece.translation.physical) &&
                      any_code_touched(piece.translation.physical, piece.size);
    if ((device || code) && operation != nullptr && !alone) {
      leave = Leave::Alone;
      return false;
    }
  }
  if (careful && !for_write_back) check_watchpoints(linear, size, access);

  auto* bytes = static_cast<u8*>(data);
  const bool writes = access == Access::Write && !for_write_back;
  for (unsigned i = 0; i < count; ++i) {
    const Piece& piece = pieces[i];
    const u64 physical = piece.translation.physical;
    if (data == nullptr) continue;  // can_access
    if (piece.page.host != nullptr) {
      u8* host = piece.page.host + (physical & 0xFFF);
      if (!writes) {
        std::memcpy(bytes, host, piece.size);
      } else if (piece.page.kind == MemoryBus::Kind::Ram) {
        std::memcpy(host, bytes, piece.size);
        if (any_code(physical) && any_code_touched(physical, piece.size)) {
          invalidate_code(physical, piece.size);
        }
      }
      TlbBank* bank = operation != nullptr ? tlb : &banks_[static_cast<unsigned>(as)];
      if (bank != &banks_[careful_bank]) fill(*bank, piece.linear, piece.translation, access);
    } else {
      access_device(operation, physical, bytes, piece.size, writes);
    }
    bytes += piece.size;
  }
  return true;
}

namespace {

/// `size` bytes, most often 4.
void copy_few(void* to, const void* from, unsigned size) {
  if (size == 4) [[likely]] {
    std::memcpy(to, from, 4);
  } else {
    std::memcpy(to, from, size);
  }
}

/// The bus carries 1, 2, 4 or 8 bytes at a time; wider and odd pieces are split. `read(address, size)` and
/// `write(address, size, value)` do one of them.
template <class Read, class Write>
void access_bus(u64 address, u8* bytes, unsigned size, bool writes, Read read, Write write) {
  while (size != 0) {
    unsigned chunk = 8;
    while (chunk > size || address % chunk != 0) chunk /= 2;
    u64 value = 0;
    if (writes) {
      copy_few(&value, bytes, chunk);
      write(address, static_cast<u8>(chunk), value);
    } else {
      value = read(address, static_cast<u8>(chunk));
      copy_few(bytes, &value, chunk);
    }
    address += chunk;
    bytes += chunk;
    size -= chunk;
  }
}

}  // namespace

void Cpu::access_device(const Operation* operation, u64 physical, u8* bytes, unsigned size, bool writes) {
  if (operation != nullptr) sync(operation);
  if (apic != nullptr && apic->selects(physical)) {
    const Tick due = context.events.next_due();
    access_bus(
        physical & ~page_mask, bytes, size, writes,
        [this](u64 offset, u8 chunk) { return apic->read_register(static_cast<u32>(offset), chunk); },
        [this](u64 offset, u8 chunk, u64 value) { apic->write_register(static_cast<u32>(offset), chunk, value); });
    return local_apic_done(due);
  }
  access_bus(
      physical, bytes, size, writes,
      [this](u64 address, u8 chunk) { return memory.read(PhysicalAddress(address), AccessSize(chunk)); },
      [this](u64 address, u8 chunk, u64 value) { memory.write(PhysicalAddress(address), AccessSize(chunk), value); });
  device_accessed = true;
}

bool Cpu::read_slow(const Operation* operation, u64 linear, void* into, unsigned size) {
  return memory_slow(operation, linear, into, size, Access::Read, false, view);
}
bool Cpu::write_slow(const Operation* operation, u64 linear, const void* from, unsigned size) {
  return memory_slow(operation, linear, const_cast<void*>(from), size, Access::Write, false, view);
}
bool Cpu::store_slow(const Operation* operation, u64 linear, const void* from, unsigned size) {
  const DevicePage* known = alone || tlb == &banks_[careful_bank] ? nullptr : known_device(linear, size, true, view);
  if (known == nullptr) return write_slow(operation, linear, from, size);
  const u64 offset = linear & ~page_mask;
  if (size == sizeof(u32) && offset % sizeof(u32) == 0 && apic != nullptr && apic->selects(known->physical)) {
    sync(operation);
    const Tick due = context.events.next_due();
    u32 value = 0;
    std::memcpy(&value, from, sizeof value);
    apic->write_register(static_cast<u32>(offset), sizeof value, value);
    local_apic_done(due);
  } else {
    access_device(operation, known->physical | offset, static_cast<u8*>(const_cast<void*>(from)), size, true);
  }
  if (goes_on()) return true;
  leave = Leave::Stored;
  return false;
}
bool Cpu::load_slow(const Operation* operation, u64 linear, void* into, unsigned size) {
  const DevicePage* known = alone || tlb == &banks_[careful_bank] ? nullptr : known_device(linear, size, false, view);
  const auto offset = static_cast<u32>(linear & ~page_mask);
  if (known == nullptr || apic == nullptr || !apic->selects(known->physical) || !apic->reads_quietly(offset)) {
    return read_slow(operation, linear, into, size);
  }
  access_device(operation, known->physical | offset, static_cast<u8*>(into), size, false);
  return true;
}
bool Cpu::read_for_write_slow(const Operation* operation, u64 linear, void* into, unsigned size) {
  return memory_slow(operation, linear, into, size, Access::Write, true, view);
}
bool Cpu::can_access(const Operation* operation, u64 linear, unsigned size, Access access) {
  return memory_slow(operation, linear, nullptr, size, access, true, view);
}
bool Cpu::system_slow(u64 linear, void* data, unsigned size, Access access) {
  return memory_slow(nullptr, linear, data, size, access, false, MemoryView::Supervisor);
}

bool segment_to_linear(Cpu& cpu, SegmentIndex index, u64 offset, unsigned size, Access access, u64& linear) {
  const Segment& segment = cpu.state.segments[index];
  if (cpu.mode.is64()) {
    linear = index >= fs ? segment.base + offset : offset;
    return true;
  }
  FailedCheck check = FailedCheck::None;
  if (!segment.usable) {
    check = FailedCheck::SelectorNull;
  } else if (cpu.state.protected_mode() && !cpu.state.v86() &&
             (access == Access::Write ? !segment.writable() : !segment.readable())) {
    check = FailedCheck::SegmentType;
  } else if (segment.expand_down() && !cpu.state.v86()) {
    const u64 top = segment.big() ? 0xFFFFFFFF : 0xFFFF;
    if (offset <= segment.limit || offset + size - 1 > top) check = FailedCheck::SegmentLimit;
  } else if (offset + size - 1 > segment.limit) {
    // An offset that wraps at 4 GiB is past every limit but 4 GiB - 1, where the wrap is allowed to pass.
    if (segment.limit != 0xFFFFFFFF) check = FailedCheck::SegmentLimit;
  }
  if (check != FailedCheck::None) {
    cpu.raise(index == ss ? vector::stack_fault : vector::general_protection, 0, check, segment.base + offset);
    return false;
  }
  linear = static_cast<u32>(segment.base + offset);
  return true;
}

}  // namespace vitrine
