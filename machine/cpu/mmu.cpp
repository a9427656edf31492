// From linear to physical addresses (SDM vol. 3A ch. 4): no paging, 32-bit, PAE and 4-level paging.
#include "base/bits.hpp"
#include "machine/cpu/cpu.hpp"
#include "machine/cpu/page_rights.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// Paging-structure entry bits (SDM vol. 3A tables 4-4 to 4-20).
namespace entry {
constexpr u64 present = 1u << 0, writable = 1u << 1, user = 1u << 2, accessed = 1u << 5, dirty = 1u << 6,
              page_size = 1u << 7, execute_disable = u64{1} << 63;
}

/// Error code of a page fault (SDM vol. 3A §4.7).
namespace page_error {
constexpr u32 present = 1u << 0, write = 1u << 1, user = 1u << 2, reserved = 1u << 3, fetch = 1u << 4;
}

constexpr u64 address_mask = ((u64{1} << physical_address_bits) - 1) & ~u64{0xFFF};

/// Bits `high`..`low`, both included.
constexpr u64 range(unsigned high, unsigned low) { return (~u64{0} >> (63 - high)) & ~((u64{1} << low) - 1); }

/// One level's entry and where it lies.
struct Step {
  u64 physical = 0;
  u64 value = 0;
};

enum class Failure : u8 { None, NotPresent, Reserved };

/// The walk as far as it got: all entries used, and the translated frame.
struct Walk {
  Step steps[4];
  unsigned count = 0;
  unsigned entry_bytes = 8;
  Failure failure = Failure::None;
  bool user = true;
  bool writable = true;
  bool execute_disable = false;
  bool dirty = false;
  u64 physical = 0;
  u8 page_bits = 12;

  void use(u64 physical_address, u64 value) {
    steps[count++] = {physical_address, value};
    user = user && (value & entry::user) != 0;
    writable = writable && (value & entry::writable) != 0;
    execute_disable = execute_disable || (value & entry::execute_disable) != 0;
  }
  void finish(u64 frame, u64 offset, u8 offset_bits = 12) {
    const u64 leaf = steps[count - 1].value;
    dirty = (leaf & entry::dirty) != 0;
    physical = frame + offset;
    page_bits = offset_bits;
  }
};

class Walker {
 public:
  explicit Walker(const Cpu& cpu) : cpu_(cpu) {}

  [[nodiscard]] Walk walk(u64 linear) const {
    if (cpu_.state.long_mode()) return walk_4_level(linear);
    if ((cpu_.state.cr4 & cr4_bit::pae) != 0) return walk_pae(linear);
    return walk_32(linear);
  }

 private:
  [[nodiscard]] u64 load(u64 physical, unsigned bytes) const {
    physical &= cpu_.a20_mask;
    const MemoryBus::Page page = cpu_.memory.page(PhysicalAddress(physical & ~u64{0xFFF}));
    u64 value = 0;
    if (page.host != nullptr) {
      std::memcpy(&value, page.host + (physical & 0xFFF), bytes);
      return value;
    }
    return cpu_.memory.peek(PhysicalAddress(physical), AccessSize(static_cast<u8>(bytes)));
  }

  /// Reads the next entry into the walk. False: it ends here.
  [[nodiscard]] bool step(Walk& result, u64 physical, u64 reserved) const {
    const u64 value = load(physical, result.entry_bytes);
    if ((value & entry::present) == 0) {
      result.failure = Failure::NotPresent;
      return false;
    }
    result.use(physical, value);
    if ((value & reserved) != 0) {
      result.failure = Failure::Reserved;
      return false;
    }
    return true;
  }
  [[nodiscard]] static bool refuse_reserved(Walk& result) {
    result.failure = Failure::Reserved;
    return false;
  }

  /// The last two levels of PAE and 4-level paging: 2-MiB and 4-KiB pages.
  void walk_directory(Walk& result, u64 directory, u64 linear, u64 reserved) const {
    if (!step(result, directory + bits(linear, 29, 21) * 8, reserved)) return;
    const u64 value = result.steps[result.count - 1].value;
    if ((value & entry::page_size) != 0) {
      if ((value & range(20, 13)) != 0) return void(refuse_reserved(result));
      return result.finish(value & address_mask & ~range(20, 0), linear & range(20, 0), 21);
    }
    if (!step(result, (value & address_mask) + bits(linear, 20, 12) * 8, reserved)) return;
    result.finish(result.steps[result.count - 1].value & address_mask, linear & 0xFFF);
  }

  [[nodiscard]] u64 no_execute_reserved() const {
    return (cpu_.state.efer & efer_bit::nxe) != 0 ? 0 : entry::execute_disable;
  }

  [[nodiscard]] Walk walk_4_level(u64 linear) const {
    Walk result;
    const u64 reserved = range(51, physical_address_bits) | no_execute_reserved();
    const u64 table4 = cpu_.state.cr3 & address_mask;
    if (!step(result, table4 + bits(linear, 47, 39) * 8, reserved | entry::page_size)) return result;
    const u64 table3 = result.steps[0].value & address_mask;
    if (!step(result, table3 + bits(linear, 38, 30) * 8, reserved)) return result;
    const u64 value = result.steps[1].value;
    if ((value & entry::page_size) != 0) {
      if ((value & range(29, 13)) != 0) {
        result.failure = Failure::Reserved;
      } else {
        result.finish(value & address_mask & ~range(29, 0), linear & range(29, 0), 30);
      }
      return result;
    }
    walk_directory(result, value & address_mask, linear, reserved);
    return result;
  }

  [[nodiscard]] Walk walk_pae(u64 linear) const {
    Walk result;
    const u64 pointer = cpu_.state.pdpte[bits(linear, 31, 30)];
    if ((pointer & entry::present) == 0) {
      result.failure = Failure::NotPresent;
      return result;
    }
    // In PAE paging bits 62:52 are reserved too, unlike in 4-level paging (SDM vol. 3A table 4-9).
    walk_directory(result, pointer & address_mask, linear, range(62, physical_address_bits) | no_execute_reserved());
    return result;
  }

  [[nodiscard]] Walk walk_32(u64 linear) const {
    Walk result;
    result.entry_bytes = 4;
    if (!step(result, (cpu_.state.cr3 & range(31, 12)) + bits(linear, 31, 22) * 4, 0)) return result;
    const u64 value = result.steps[0].value;
    if ((value & entry::page_size) != 0 && (cpu_.state.cr4 & cr4_bit::pse) != 0) {
      // PSE-36: bits 20:13 are address bits 39:32; bit 21 is reserved (table 4-4).
      if (bit(value, 21)) {
        result.failure = Failure::Reserved;
      } else {
        result.finish((value & range(31, 22)) | bits(value, 20, 13) << 32, linear & range(21, 0), 22);
      }
      return result;
    }
    if (!step(result, (value & range(31, 12)) + bits(linear, 21, 12) * 4, 0)) return result;
    result.finish(result.steps[1].value & range(31, 12), linear & 0xFFF);
    return result;
  }

  const Cpu& cpu_;
};

/// Access rights by the combined entries (SDM vol. 3A §4.6.1).
bool allowed(const Cpu& cpu, const Walk& walk, Access access, MemoryView view) {
  if (view == MemoryView::User) {
    if (!walk.user) return false;
    if (access == Access::Write) return walk.writable;
    return access == Access::Read || !walk.execute_disable;
  }
  if (access == Access::Execute) {
    return !walk.execute_disable && !(walk.user && (cpu.state.cr4 & cr4_bit::smep) != 0);
  }
  if (walk.user && view == MemoryView::Supervisor && (cpu.state.cr4 & cr4_bit::smap) != 0) return false;
  return access == Access::Read || walk.writable || (cpu.state.cr0 & cr0_bit::wp) == 0;
}

/// Sets bits in an entry in memory.
void set_entry_bits(Cpu& cpu, Step& step, u64 set, unsigned bytes) {
  if ((step.value & set) == set) return;
  step.value |= set;
  const u64 physical = step.physical & cpu.a20_mask;
  const MemoryBus::Page page = cpu.memory.page(PhysicalAddress(physical & ~u64{0xFFF}));
  if (page.host != nullptr && page.kind == MemoryBus::Kind::Ram) {
    std::memcpy(page.host + (physical & 0xFFF), &step.value, bytes);
    if (cpu.any_code(physical)) cpu.invalidate_code(physical, bytes);
  } else {
    cpu.memory.write(PhysicalAddress(physical), AccessSize(static_cast<u8>(bytes)), step.value);
  }
}

}  // namespace

bool Cpu::translate(u64 linear, Access access, MemoryView as, Translation& result) {
  if (state.long_mode()) {
    if (!canonical(linear)) {
      raise(vector::general_protection, 0, FailedCheck::NonCanonical, linear);
      return false;
    }
  } else {
    linear = static_cast<u32>(linear);
  }
  if (!state.paging()) {
    result = {.physical = linear & a20_mask, .writable = true};
    return true;
  }
  Walk walk = Walker(*this).walk(linear);
  if (walk.failure != Failure::None || !allowed(*this, walk, access, as)) {
    const bool nx_reported =
        ((state.efer & efer_bit::nxe) != 0 && (state.cr4 & cr4_bit::pae) != 0) || (state.cr4 & cr4_bit::smep) != 0;
    u32 code = walk.failure == Failure::NotPresent ? 0 : page_error::present;
    if (walk.failure == Failure::Reserved) code |= page_error::reserved;
    if (access == Access::Write) code |= page_error::write;
    if (as == MemoryView::User) code |= page_error::user;
    if (access == Access::Execute && nx_reported) code |= page_error::fetch;
    const FailedCheck check = walk.failure == Failure::NotPresent ? FailedCheck::PageNotPresent
                              : walk.failure == Failure::Reserved ? FailedCheck::PageReservedBit
                                                                  : FailedCheck::PageProtection;
    // A page fault drops the translations of its address, so that a handler need not do it (SDM vol. 3A §4.10.4.1).
    drop_translations(linear);
    raise(vector::page_fault, code, check, linear);
    return false;
  }
  for (unsigned i = 0; i < walk.count; ++i) {
    const bool leaf = i + 1 == walk.count;
    set_entry_bits(*this, walk.steps[i], entry::accessed | (leaf && access == Access::Write ? entry::dirty : u64{0}),
                   walk.entry_bytes);
  }
  const bool dirty = walk.dirty || access == Access::Write;
  result = {.physical = walk.physical & a20_mask,
            .writable = dirty && allowed(*this, walk, Access::Write, as),
            .page_bits = walk.page_bits};
  if (result.writable && !walk.writable) writes_past_protection_ = true;
  return true;
}

bool Cpu::peek_translate(u64 linear, u64& physical) const {
  if (!state.long_mode()) linear = static_cast<u32>(linear);
  if (state.long_mode() && !canonical(linear)) return false;
  if (!state.paging()) {
    physical = linear & a20_mask;
    return true;
  }
  const Walk walk = Walker(*this).walk(linear);
  physical = walk.physical & a20_mask;
  return walk.failure == Failure::None;
}

PageOwner page_owner(const Cpu& cpu, u64 linear) {
  if (!cpu.state.long_mode()) linear = static_cast<u32>(linear);
  if (cpu.state.long_mode() && !canonical(linear)) return PageOwner::NotMapped;
  if (!cpu.state.paging()) return PageOwner::Supervisor;
  const Walk walk = Walker(cpu).walk(linear);
  if (walk.failure != Failure::None) return PageOwner::NotMapped;
  return walk.user ? PageOwner::User : PageOwner::Supervisor;
}

bool load_page_directory_pointers(Cpu& cpu, u64 cr3) {
  // SDM vol. 3A §4.4.1: bits 2:1, 8:5 and those from MAXPHYADDR on are reserved in a present entry.
  constexpr u64 reserved = range(63, physical_address_bits) | range(8, 5) | range(2, 1);
  u64 loaded[4];
  for (unsigned i = 0; i < 4; ++i) {
    const u64 physical = ((cr3 & range(31, 5)) + i * 8) & cpu.a20_mask;
    loaded[i] = cpu.memory.peek(PhysicalAddress(physical), AccessSize(8));
    if ((loaded[i] & entry::present) != 0 && (loaded[i] & reserved) != 0) return false;
  }
  for (unsigned i = 0; i < 4; ++i) cpu.state.pdpte[i] = loaded[i];
  return true;
}

}  // namespace vitrine
