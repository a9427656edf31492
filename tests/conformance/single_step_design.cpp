#include "tests/conformance/single_step_design.hpp"

#include <algorithm>
#include <span>

#include "machine/cpu/state.hpp"

namespace vitrine::conformance {

namespace {

constexpr u8 prefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0xF0, 0xF1, 0xF2, 0xF3};

bool is_prefix(u8 byte) { return std::ranges::count(prefixes, byte) != 0; }

bool is_string(u8 opcode) {
  return (opcode >= 0xA4 && opcode <= 0xA7) || (opcode >= 0xAA && opcode <= 0xAF) || (opcode >= 0x6C && opcode <= 0x6F);
}

std::size_t opcode_at(const MooTest& test) {
  std::size_t at = 0;
  while (at < test.bytes.size() && is_prefix(test.bytes[at])) ++at;
  return at;
}

struct Case {
  Chip chip;
  const std::string& name;
  const MooTest& test;
  const Ours& ours;

  [[nodiscard]] u8 opcode() const { return byte(0); }
  [[nodiscard]] u8 byte(std::size_t behind_prefixes) const {
    const std::size_t at = opcode_at(test) + behind_prefixes;
    return at < test.bytes.size() ? test.bytes[at] : u8{0};
  }
  [[nodiscard]] u8 modrm() const { return byte(1); }
  [[nodiscard]] unsigned reg() const { return modrm() >> 3 & 7; }
  [[nodiscard]] u16 before(moo::Register which) const { return test.before.registers[which]; }
  [[nodiscard]] u16 after(moo::Register which) const { return test.after.registers[which]; }
  /// Interrupt 0 leads to 0:400h in the 8086's set.
  [[nodiscard]] bool took_entry_0() const { return after(moo::cs) == 0 && after(moo::ip) == 0x400; }
  [[nodiscard]] bool undefined_here() const { return ours.fault == 6; }
  [[nodiscard]] bool prefixed(u8 prefix) const {
    return std::count(test.bytes.begin(), test.bytes.begin() + static_cast<long>(opcode_at(test)), prefix) != 0;
  }
  [[nodiscard]] bool one_of(std::initializer_list<u8> opcodes) const {
    return std::ranges::count(opcodes, opcode()) != 0;
  }
};

struct Design {
  std::string_view reason;
  bool (*applies)(const Case& each);
};

/// Did the chip go through this entry of the interrupt vector table?
bool took(const Case& each, u8 vector) {
  const u32 halted = each.chip == Chip::I80286 ? 1 : 0;
  u32 entry = 0;
  unsigned found = 0;
  for (const auto& [address, value] : each.test.before.memory) {
    if (address / 4 != vector) continue;
    entry |= u32{value} << (address % 4 * 8);
    ++found;
  }
  const auto& after = each.test.after.registers;
  return found == 4 && entry >> 16 == after[moo::cs] && ((entry + halted) & 0xFFFF) == after[moo::ip];
}

/// The word that stands in the place of CS in an interrupt's frame.
std::optional<u16> pushed_code_segment(const Case& each) {
  const u32 at = (u32{each.after(moo::ss)} << 4) + static_cast<u16>(each.after(moo::sp) + 2);
  u16 word = 0;
  unsigned found = 0;
  for (const auto& [address, value] : each.test.after.memory) {
    if (address != at && address != at + 1) continue;
    word = static_cast<u16>(word | value << (address - at) * 8);
    ++found;
  }
  return found == 2 ? std::optional(word) : std::nullopt;
}

// SDM vol. 3B §22 has the differences from the 8086 and the 80286.
constexpr Design designs_80286[] = {
    {"LOCK before an instruction that has nothing to lock (today #UD)",
     [](const Case& each) { return each.prefixed(0xF0) && each.undefined_here(); }},
    {"more than 10 bytes are #UD or #GP (today more than 15)",
     [](const Case& each) {
       // What cannot be an instruction is cut short in the set.
       const bool undefined_form = each.one_of({0xC6, 0xC7}) && each.undefined_here();
       return each.test.bytes.size() > 11 || (undefined_form && took(each, 13));
     }},
    {"FS and GS are #UD (since the 80386 they are there)",
     [](const Case& each) { return each.one_of({0x8C, 0x8E}) && each.reg() >= 4 && took(each, 6); }},
    {"an instruction that faults has moved SI, DI or SP (today it changes nothing)",
     [](const Case& each) {
       return (is_string(each.opcode()) || each.opcode() == 0x8F) && each.ours.fault == 13 && took(each, 13);
     }},
    {"an operand past the end of SS is #GP (today #SS)",
     [](const Case& each) { return each.ours.fault == 12 && took(each, 13); }},
    {"the second word of an operand wraps at the end of its segment (today #GP or #SS)",
     [](const Case& each) {
       return each.one_of({0x62, 0xC4, 0xC5, 0xD8, 0xFF}) && each.ours.check == FailedCheck::SegmentLimit;
     }},
    {"#DE of AAM comes with flags changed",
     [](const Case& each) { return each.opcode() == 0xD4 && each.ours.fault == 0 && took(each, 0); }},
    {"IDIV overlooks an overflow that ends as 80h",
     [](const Case& each) {
       return each.opcode() == 0xF6 && each.reg() == 7 && each.ours.fault == 0 && (each.after(moo::ax) & 0xFF) == 0x80;
     }},
    {"an interrupt was seen to push SS in the place of CS",
     [](const Case& each) { return pushed_code_segment(each) == each.before(moo::ss); }},
};

constexpr Design designs_8086[] = {
    {"an operand, the stack or the code wraps at the end of its segment (today #GP or #SS)",
     [](const Case& each) {
       return (each.ours.fault == 13 || each.ours.fault == 12) && each.ours.check == FailedCheck::SegmentLimit;
     }},
    {"PUSH SP pushes what SP is afterwards (SDM vol. 2, PUSH)",
     [](const Case& each) { return each.opcode() == 0x54 || (each.opcode() == 0xFF && each.modrm() == 0xF4); }},
    {"60h to 6Fh are conditional jumps",
     [](const Case& each) { return each.opcode() >= 0x60 && each.opcode() <= 0x6F; }},
    {"C0h, C1h, C8h and C9h are returns", [](const Case& each) { return each.one_of({0xC0, 0xC1, 0xC8, 0xC9}); }},
    {"D0h to D3h with /6 set all bits (today they are SHL)",
     [](const Case& each) { return each.opcode() >= 0xD0 && each.opcode() <= 0xD3 && each.reg() == 6; }},
    {"CL is not cut to 5 bits as a count (SDM vol. 2, SAL)",
     [](const Case& each) { return each.one_of({0xD2, 0xD3}) && (each.before(moo::cx) & 0xE0) != 0; }},
    {"MOV knows four segment registers and can load CS",
     [](const Case& each) { return each.one_of({0x8C, 0x8E}) && (each.reg() >= 4 || each.reg() == cs); }},
    {"undefined forms of 8Fh, C6h, C7h and FFh do what their neighbours do (today #UD)",
     [](const Case& each) { return each.one_of({0x8F, 0xC6, 0xC7, 0xFF}) && each.undefined_here(); }},
    {"#DE pushes the address behind the instruction (today its own), with flags changed",
     [](const Case& each) { return each.one_of({0xD4, 0xF6, 0xF7}) && each.ours.fault == 0 && each.took_entry_0(); }},
    {"IDIV takes 80h for an overflow, and REP changes its sign",
     [](const Case& each) { return each.one_of({0xF6, 0xF7}) && each.reg() == 7; }},
    {"DAA and DAS compare with 9Fh after an adjustment, and DAS has no borrow of its own",
     [](const Case& each) { return each.one_of({0x27, 0x2F}); }},
    {"AAA and AAS change AL and AH apart (today AX)", [](const Case& each) { return each.one_of({0x37, 0x3F}); }},
    {"there is no coprocessor", [](const Case& each) { return each.opcode() >= 0xD8 && each.opcode() <= 0xDF; }},
};

}  // namespace

bool has_repeat_prefix(const MooTest& test) {
  const std::size_t at = opcode_at(test);
  if (at >= test.bytes.size()) return false;
  return is_string(test.bytes[at]) && std::any_of(test.bytes.begin(), test.bytes.begin() + static_cast<long>(at),
                                                  [](u8 byte) { return byte == 0xF2 || byte == 0xF3; });
}

u16 manual_flags_mask(const std::string&, const MooTest& test) {
  const std::size_t at = opcode_at(test);
  if (at + 1 >= test.bytes.size()) return 0xFFFF;
  const u8 opcode = test.bytes[at];
  const bool by_immediate = opcode == 0xC0 || opcode == 0xC1;
  if (!by_immediate && opcode != 0xD2 && opcode != 0xD3) return 0xFFFF;
  const u8 modrm = test.bytes[at + 1];
  const unsigned count = (by_immediate ? test.bytes[test.bytes.size() - 2] : test.before.registers[moo::cx]) & 0x1F;
  u16 mask = 0xFFFF;
  if (count > 1) mask &= static_cast<u16>(~flag::overflow);  // SDM vol. 2, RCL, SAL: OF is for shifts of one bit
  const bool shift = (modrm & 0x20) != 0;
  const unsigned width = (opcode & 1) != 0 ? 16 : 8;
  if (shift && count != 0) mask &= static_cast<u16>(~flag::adjust);
  const bool arithmetic_right = (modrm >> 3 & 7) == 7;
  if (shift && count >= width && !arithmetic_right) mask &= static_cast<u16>(~flag::carry);
  return mask;
}

std::optional<u32> pushed_flags_address(const MooTest& test, Chip chip) {
  const auto& before = test.before.registers;
  const auto& after = test.after.registers;
  const u16 pushed = static_cast<u16>(before[moo::sp] - after[moo::sp]);
  const std::size_t at = opcode_at(test);
  const bool pushes_flags = at < test.bytes.size() && test.bytes[at] == 0x9C && pushed == 2;
  if (!pushes_flags && (pushed != 6 || before[moo::ss] != after[moo::ss])) return std::nullopt;
  const u16 offset = static_cast<u16>(before[moo::sp] - 2);
  const u32 linear = (u32{before[moo::ss]} << 4) + offset;
  return chip == Chip::I8086 ? linear & 0xFFFFF : linear;
}

std::string_view design_difference(Chip chip, const std::string& name, const MooTest& test, const Ours& ours) {
  const Case each{chip, name, test, ours};
  const std::span<const Design> designs = chip == Chip::I80286 ? std::span<const Design>(designs_80286) : designs_8086;
  const auto reason = std::ranges::find_if(designs, [&](const Design& design) { return design.applies(each); });
  return reason == designs.end() ? std::string_view() : reason->reason;
}

}  // namespace vitrine::conformance
