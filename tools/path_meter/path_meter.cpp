#include "tools/path_meter/path_meter.hpp"

#include <algorithm>
#include <utility>

#include "machine/cpu/cpu.hpp"

namespace vitrine::paths {

namespace {

/// From the mark to the key: the reader sleeps by then, and the machine as well.
constexpr u64 until_key = 20'000'000;
/// No multiple of a tick, or every key would meet one.
constexpr u64 slice = 970'000, trace_slice = 50;
/// Scan code set 2: A, and its release.
constexpr u64 key_down = 0x1C, key_up = 0x1C'F0;

std::string text_at(const Cpu& cpu, u64 address) {
  std::string text;
  u8 byte[1];
  while (text.size() < 80 && peek_memory(cpu, address + text.size(), byte) && byte[0] != 0)
    text += static_cast<char>(byte[0]);
  return text;
}

}  // namespace

std::string_view name_of(Stage stage) {
  static constexpr std::string_view names[stages] = {"program", "entry",  "work",  "bottom half",
                                                     "wake-up", "switch", "return"};
  return names[static_cast<std::size_t>(stage)];
}

PathMeter::PathMeter(Machine& machine, u64 mark) : machine_(&machine), mark_(mark) {
  machine.ledger().attach(*this);
  machine.set_probe(this);
  machine.set_code_points({mark});
}

bool PathMeter::run(Tick until) {
  while (!done_ && machine_->clock().now() < until) {
    const auto traced = samples_.find(traced_path);
    const bool steps = trace && traced != samples_.end() && traced->second.size() == traced_sample;
    if (steps && open_ && name_ == traced_path) trace(machine_->cpu().linear_rip());
    Machine::RunLimits limits{.until = Tick(machine_->clock().now().value + slice)};
    if (trace && !points_.empty()) limits.instructions = machine_->instructions() + (steps ? 1 : trace_slice);
    const auto result = machine_->run(limits);
    using enum Machine::StopReason;
    if (result.reason != TimeLimit && result.reason != InstructionLimit && result.reason != Stopped) break;
    press_key_if_due();
  }
  return done_;
}

void PathMeter::press_key_if_due() {
  if (releases_key_ && machine_->keyboard_wants_input()) {
    releases_key_ = false;
    machine_->inject({.kind = InputKind::KeyScan, .value = key_up});
  }
  if (!key_wanted_ || machine_->clock().now() < key_due_ || !machine_->keyboard_wants_input()) return;
  key_wanted_ = false;
  key_pressed_ = true;
  key_request_ = {};
  machine_->inject({.kind = InputKind::KeyScan, .value = key_down});
}

void PathMeter::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    const bool from_keyboard =
        record.kind == RecordKind::Raised && machine_->ledger().sources()[record.source] == "i8042";
    if (from_keyboard) key_request_ = RequestId(record.id);
  }
}

void PathMeter::begin(const Cpu& cpu, Stage stage) {
  sample_ = {};
  open_ = true;
  spoilt_ = false;
  stage_ = stage;
  began_ = stage_began_ = cpu.state.instructions;
  address_space_ = cpu.state.cr3;
}

void PathMeter::enter_stage(const Cpu& cpu, Stage stage) {
  if (!open_) return;
  const u64 now = cpu.state.instructions;
  sample_.by_stage[static_cast<std::size_t>(stage_)] += now - stage_began_;
  stage_began_ = now;
  stage_ = stage;
}

void PathMeter::end(const Cpu& cpu) {
  if (!std::exchange(open_, false)) return;
  open_ = true;
  enter_stage(cpu, stage_);
  open_ = false;
  sample_.total = cpu.state.instructions - began_;
  if (kind_ == abi::Mark::Switch && cpu.state.cr3 == address_space_) return;
  if (spoilt_) return;
  if (kind_ == abi::Mark::Nothing) marks_cost_ = sample_.total;
  if (kind_ != abi::Mark::Nothing && kind_ != abi::Mark::Ticks) {
    u64& program = sample_.by_stage[static_cast<std::size_t>(Stage::Program)];
    const u64 taken_off = std::min(program, marks_cost_);
    program -= taken_off;
    sample_.total -= taken_off;
  }
  samples_[name_].push_back(sample_);
}

void PathMeter::marked(const Cpu& cpu) {
  if (cpu.state.gpr[rdx] != abi::path_mark_magic) return;
  if (points_.empty() && find_stages) {
    std::vector<u64> addresses = {mark_};
    for (const StagePoint& point : find_stages(cpu)) {
      points_[point.address] = point.stage;
      addresses.push_back(point.address);
    }
    std::ranges::sort(addresses);
    machine_->set_code_points(std::move(addresses));
  }
  const auto kind = static_cast<abi::Mark>(cpu.state.gpr[rsi]);
  if (kind == abi::Mark::End) {
    const bool was_key = kind_ == abi::Mark::Key;
    if (kind_ != abi::Mark::Ticks) end(cpu);
    open_ = false;
    kind_ = {};
    if (was_key) releases_key_ = true;
    return;
  }
  name_ = text_at(cpu, cpu.state.gpr[rdi]);
  kind_ = kind;
  open_ = false;
  switch (kind) {
    case abi::Mark::Begin:
    case abi::Mark::Nothing:
    case abi::Mark::Switch:
      return begin(cpu, Stage::Program);
    case abi::Mark::Key:
      key_wanted_ = true;
      key_due_ = Tick(machine_->clock().now().value + until_key);
      return;
    case abi::Mark::Done:
      done_ = true;
      machine_->request_stop();
      return;
    case abi::Mark::Ticks:
    case abi::Mark::End:
      return;
  }
}

void PathMeter::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  if (delivery.kind != DeliveryKind::External) return enter_stage(cpu, Stage::Entry);
  if (open_) {
    spoilt_ = true;
    return;
  }
  if (kind_ == abi::Mark::Ticks && delivery.before.privilege == 3) {
    begin(cpu, Stage::Entry);
    tick_request_ = delivery.request;
  } else if (kind_ == abi::Mark::Key && key_pressed_) {  // and not the one before it that is released
    machine_->ledger().flush();
    if (key_request_.value != delivery.request || delivery.request == 0) return;
    key_pressed_ = false;
    begin(cpu, Stage::Entry);
  }
}

void PathMeter::returned(const Cpu& cpu, const ProbedReturn& iret) {
  if (kind_ == abi::Mark::Ticks && open_) {
    if (iret.request != tick_request_) return;
    if (cpu.state.cr3 != address_space_) spoilt_ = true;
    return end(cpu);
  }
  if (cpu.cpl == 3) enter_stage(cpu, Stage::Program);
}

void PathMeter::left_kernel(const Cpu& cpu, u64 /*instruction*/) { enter_stage(cpu, Stage::Program); }
void PathMeter::entered_kernel(const Cpu& cpu, u64 /*instruction*/) { enter_stage(cpu, Stage::Entry); }

void PathMeter::code_point(const Cpu& cpu, u64 address) {
  if (address == mark_) return marked(cpu);
  if (!open_ || cpu.cpl != 0) return;
  if (const auto point = points_.find(address); point != points_.end()) enter_stage(cpu, point->second);
}

}  // namespace vitrine::paths
