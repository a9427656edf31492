// SingleStepTests: what an 8086 and an 80286 did, instruction by instruction, captured from the chips in real mode.
// Ours runs each in real mode too; registers, memory and all flags that the manual defines must be the same, unless the
// processors differ by design (single_step_design.cpp).
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/conformance/cpu_bench.hpp"
#include "tests/conformance/moo.hpp"
#include "tests/conformance/single_step_design.hpp"
#include "tests/conformance/suites.hpp"

namespace vitrine::conformance {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The flags of the 8086 and those that POPF of real mode could not change on an 80286 are not compared: reserved ones,
/// IOPL and NT.
constexpr u16 compared_flags = 0x0FD5;
constexpr u8 hlt = 0xF4;
/// The longest that is left running: REP with CX of 7 bits, and some more.
constexpr int most_steps = 600;

/// metadata.json: which flags an opcode leaves undefined.
class Metadata {
 public:
  explicit Metadata(const fs::path& file) {
    std::ifstream stream(file);
    contents_ = json::parse(stream, nullptr, false);
  }
  [[nodiscard]] bool good() const { return contents_.contains("opcodes") && contents_.contains("cpu"); }
  [[nodiscard]] Chip chip() const { return contents_["cpu"] == "286" ? Chip::I80286 : Chip::I8086; }
  /// `name` as the files have it: "00", "F7.4".
  [[nodiscard]] u16 flags_mask(const std::string& name) const {
    json entry = contents_["opcodes"].value(name.substr(0, 2), json::object());
    if (name.size() > 3 && entry.contains("reg")) entry = entry["reg"].value(name.substr(3), json::object());
    return entry.value("flags-mask", u16{0xFFFF});
  }

 private:
  json contents_;
};

class SingleStepCpu {
 public:
  explicit SingleStepCpu(Chip chip) : chip_(chip), bench_(0x110000) {
    CpuState& state = bench_.cpu().state;
    state.cr0 = cr0_bit::et;
    for (Segment& segment : state.segments) segment = {.limit = 0xFFFF, .attributes = 0x0093};
    state.idtr = {.base = 0, .limit = 0x3FF};
    template_ = state;
    if (chip == Chip::I8086) bench_.cpu().set_a20(false);  // 20 address pins
  }

  /// Runs it from its state before; what came of it.
  Ours run(const MooTest& test) {
    for (const auto& [address, value] : test.before.memory) {
      if (address < bench_.ram().size()) bench_.write(address, value);
    }
    load(test.before.registers);
    Cpu& cpu = bench_.cpu();
    cpu.fault_chain.clear();
    const bool repeats = has_repeat_prefix(test);
    const u64 start = cpu.linear_rip();
    for (int i = 0; i < most_steps; ++i) {
      cpu.run(1);
      if (!repeats || cpu.linear_rip() != start) break;
    }
    Ours ours = {.registers = store()};
    if (cpu.fault_chain.count != 0) {
      ours.fault = cpu.fault_chain.steps[0].vector;
      ours.check = cpu.fault_chain.steps[0].check;
    }
    return ours;
  }

  /// Is all as the chip left it? `mask`: of the flags that count.
  [[nodiscard]] bool equal(const MooTest& test, const Ours& ours, u16 mask) const {
    for (unsigned i = 0; i < moo::register_count; ++i) {
      u16 expected = test.after.registers[i];
      u16 got = ours.registers[i];
      // The 80286 was seen stopping at the HLT behind the instruction.
      if (i == moo::ip && chip_ == Chip::I80286 && test.bytes[0] != hlt) ++got;
      if (i == moo::flags) {
        expected &= mask & compared_flags;
        got &= mask & compared_flags;
      }
      if (expected != got) return false;
    }
    const std::optional<u32> pushed = pushed_flags_address(test, chip_);
    for (const auto& [address, value] : final_memory(test)) {
      if (address >= bench_.ram().size()) continue;
      u8 relevant = 0xFF;
      if (pushed && address == *pushed) relevant = static_cast<u8>(mask & compared_flags);
      if (pushed && address == *pushed + 1) relevant = static_cast<u8>((mask & compared_flags) >> 8);
      if (((bench_.ram()[address] ^ value) & relevant) != 0) return false;
    }
    return true;
  }

 private:
  static std::map<u32, u8> final_memory(const MooTest& test) {
    std::map<u32, u8> memory(test.before.memory.begin(), test.before.memory.end());
    for (const auto& [address, value] : test.after.memory) memory[address] = value;
    return memory;
  }

  void load(const std::array<u16, moo::register_count>& registers) {
    Cpu& cpu = bench_.cpu();
    const u64 instructions = cpu.state.instructions;
    CpuState& state = cpu.state = template_;
    state.instructions = instructions;
    for (const auto& [slot, from] : general) state.gpr[slot] = registers[from];
    for (const auto& [index, from] : segments) {
      state.segments[index].selector = registers[from];
      state.segments[index].base = u64{registers[from]} << 4;
    }
    state.rip = registers[moo::ip];
    state.set_flags(registers[moo::flags] & compared_flags);
    cpu.state_changed();
  }
  std::array<u16, moo::register_count> store() {
    const CpuState& state = bench_.cpu().state;
    std::array<u16, moo::register_count> registers{};
    for (const auto& [slot, into] : general) registers[into] = static_cast<u16>(state.gpr[slot]);
    for (const auto& [index, into] : segments) registers[into] = state.segments[index].selector;
    registers[moo::ip] = static_cast<u16>(state.rip);
    registers[moo::flags] = static_cast<u16>(state.flags());
    return registers;
  }

  static constexpr std::pair<RegisterSlot, moo::Register> general[] = {{rax, moo::ax}, {rbx, moo::bx}, {rcx, moo::cx},
                                                                       {rdx, moo::dx}, {rsp, moo::sp}, {rbp, moo::bp},
                                                                       {rsi, moo::si}, {rdi, moo::di}};
  static constexpr std::pair<SegmentIndex, moo::Register> segments[] = {
      {cs, moo::cs}, {ss, moo::ss}, {ds, moo::ds}, {es, moo::es}};

  Chip chip_;
  CpuBench bench_;
  CpuState template_;
};

struct Tally {
  u64 tests = 0, equal = 0;
  std::map<std::string_view, u64> by_design;
  std::map<std::string, u64> wrong;                ///< by file
  std::map<std::string, std::string> first_wrong;  ///< what to look at
};

std::string describe(const MooTest& test, const Ours& ours) {
  std::string text = test.name + ", bytes";
  for (const u8 byte : test.bytes) text += fmt::format(" {:02x}", byte);
  constexpr std::string_view names[] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                        "es", "sp", "bp", "si", "di", "ip", "flags"};
  for (unsigned i = 0; i < moo::register_count; ++i) {
    const u16 before = test.before.registers[i];
    const u16 after = test.after.registers[i];
    if (before == after && before == ours.registers[i]) continue;
    text += fmt::format("; {} {:04x} -> {:04x}, ours {:04x}", names[i], before, after, ours.registers[i]);
  }
  if (ours.fault) text += fmt::format("; our exception {}", *ours.fault);
  return text;
}

void run_file(SingleStepCpu& cpu, const Metadata& metadata, const std::string& name, const std::vector<MooTest>& tests,
              Tally& tally) {
  const u16 mask = metadata.flags_mask(name);
  for (const MooTest& test : tests) {
    const Ours ours = cpu.run(test);
    ++tally.tests;
    if (cpu.equal(test, ours, static_cast<u16>(mask & manual_flags_mask(name, test)))) {
      ++tally.equal;
      continue;
    }
    if (const std::string_view reason = design_difference(metadata.chip(), name, test, ours); !reason.empty()) {
      ++tally.by_design[reason];
      continue;
    }
    if (tally.wrong[name]++ == 0) tally.first_wrong[name] = describe(test, ours);
  }
}

void print(const std::string& chip, const Tally& tally) {
  u64 by_design = 0;
  for (const auto& [reason, count] : tally.by_design) by_design += count;
  fmt::print("| {} | Tests |\n|---|---:|\n", chip);
  fmt::print("| All | {} |\n| Equal | {} |\n", tally.tests, tally.equal);
  for (const auto& [reason, count] : tally.by_design) fmt::print("| Differs by design: {} | {} |\n", reason, count);
  fmt::print("| Wrong | {} |\n", tally.tests - tally.equal - by_design);
  for (const auto& [name, count] : tally.wrong) {
    fmt::print("| Wrong in {}, first: {} | {} |\n", name, tally.first_wrong.at(name), count);
  }
}

}  // namespace

Verdict run_single_step(const Request& request) {
  fs::path description = request.path / "metadata.json";
  if (!fs::exists(description)) description = request.path.parent_path() / "v1" / "metadata.json";  // the 8086's set
  const Metadata metadata(description);
  if (!metadata.good()) {
    fmt::print(stderr, "{} has no metadata.json of SingleStepTests.\n", request.path.string());
    return Verdict::CannotRun;
  }
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(request.path)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".MOO.gz")) continue;
    const std::string opcode = name.substr(0, name.find(".MOO"));
    if (request.only.empty() || std::ranges::count(request.only, opcode) != 0) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  SingleStepCpu cpu(metadata.chip());
  Tally tally;
  for (const fs::path& file : files) {
    const auto tests = read_moo(file);
    if (!tests) {
      fmt::print(stderr, "{}\n", tests.error());
      return Verdict::CannotRun;
    }
    const std::string name = file.filename().string();
    run_file(cpu, metadata, name.substr(0, name.find(".MOO")), *tests, tally);
  }
  print(metadata.chip() == Chip::I80286 ? "80286" : "8086", tally);
  return tally.wrong.empty() ? Verdict::Passed : Verdict::Failed;
}

}  // namespace vitrine::conformance
