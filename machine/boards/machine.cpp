#include "machine/boards/machine.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "machine/boards/pc_board.hpp"
#include "machine/boards/pc_firmware.hpp"
#include "machine/boards/rom.hpp"
#include "machine/cpu/cpu.hpp"

namespace vitrine {

namespace {
struct NoOutputs final : Outputs {
  void byte_out(Channel, u8) override {}
};
constexpr std::size_t most_inputs = std::size_t{1} << 24;
constexpr Tick latest{u64{1} << 62};  // 146 years: no run gets there, and no sum of it and a delay overflows

/// Is every event, even of a changed archive, for a device that is there?
bool have_devices(EventQueue events, u16 devices) {
  while (const std::optional<Event> event = events.pop_due(never)) {
    if (event->device.value >= devices) return false;
  }
  return true;
}

Segment to_segment(const BootSegment& boot) {
  return {.selector = boot.selector,
          .base = boot.base,
          .limit = boot.limit,
          .attributes = boot.attributes,
          .usable = (boot.attributes & 0x80) != 0};
}

void copy_boot_state(const BootState& boot, CpuState& state) {
  std::ranges::copy(boot.gpr, state.gpr);
  state.rip = boot.rip;
  state.set_flags(static_cast<u32>(boot.rflags));
  state.segments[es] = to_segment(boot.es);
  state.segments[cs] = to_segment(boot.cs);
  state.segments[ss] = to_segment(boot.ss);
  state.segments[ds] = to_segment(boot.ds);
  state.segments[fs] = to_segment(boot.fs);
  state.segments[gs] = to_segment(boot.gs);
  state.ldtr = to_segment(boot.ldtr);
  state.tr = to_segment(boot.tr);
  state.gdtr = {boot.gdtr.base, boot.gdtr.limit};
  state.idtr = {boot.idtr.base, boot.idtr.limit};
  state.cr0 = boot.cr0;
  state.cr3 = boot.cr3;
  state.cr4 = boot.cr4;
  state.efer = boot.efer;
}
}  // namespace

std::expected<std::unique_ptr<Machine>, MachineError> Machine::create(const MachineOptions& options) {
  if (options.cpus == 0 || options.cpus > traits_of(options.board).most_cpus) {
    return std::unexpected(MachineError::CpuCount);
  }
  std::expected<PhysicalMemory, MachineError> memory = PhysicalMemory::allocate(options.memory_bytes);
  if (!memory) return std::unexpected(memory.error());
  return std::unique_ptr<Machine>(new Machine(options, std::move(*memory)));
}

Machine::Machine(const MachineOptions& options, PhysicalMemory memory)
    : options_(options),
      physical_memory_(std::move(memory)),
      no_outputs_(std::make_unique<NoOutputs>()),
      schedule_(options.slice, options.schedule_seed) {
  fill_rom(physical_memory_.rom(), options.board, options.cpus);
  physical_memory_.map(memory_);
  board_ = std::make_unique<PcBoard>(PcBoard::Surroundings{
      .clock = clock_,
      .events = events_,
      .ledger = ledger_,
      .ports = ports_,
      .memory = memory_,
      .outputs = options.outputs != nullptr ? *options.outputs : *no_outputs_,
      .control = *this,
      .kind = options.board,
      .seed = options.seed,
      .cpus = options.cpus,
      .x2apic = options.x2apic,
      .rtc_unix_seconds = options.rtc_unix_seconds,
      .disks = options.disks,
      .memory_bytes = physical_memory_.size(),
      .serial_crystal_hz = options.serial_crystal_hz,
      .cooling = options.cooling,
  });
  memory_.set_watcher(*this);
}

Machine::~Machine() = default;

Cpu& Machine::cpu(unsigned number) { return board_->processor(number); }
unsigned Machine::processors() const { return board_->processors(); }

u64 Machine::instructions() const {
  u64 sum = 0;
  for (unsigned number = 0; number < processors(); ++number) sum += board_->processor(number).state.instructions;
  return sum;
}

Cpu& Machine::current() const { return board_->processor(schedule_.open() ? schedule_.cpu() : 0); }

void Machine::tell_context() {
  const Cpu& cpu = current();
  ledger_.context = {cpu.linear_rip(), cpu.state.instructions, cpu.number};
}

void Machine::initialise_as_firmware() { leave_as_firmware_does(ports_, memory_, *board_); }

std::expected<LoadedGuest, BootError> Machine::boot(const GuestFiles& files, const BootOptions& options) {
  initialise_as_firmware();
  MemoryMap map = physical_memory_.guest_map();
  map.rsdp = put_acpi_tables(memory_, *board_);
  std::expected<LoadedGuest, BootError> guest = load_guest(files, map, memory_, options);
  if (!guest) return guest;
  copy_boot_state(guest->state, board_->cpu.state);
  board_->cpu.state_changed();
  return guest;
}

// --- running
// ----------------------------------------------------------------------------------------------------------

void Machine::dispatch_due() {
  while (const std::optional<Event> event = events_.pop_due(clock_.now())) {
    // No instruction does what an event does; the next one stands for it.
    tell_context();
    board_->device(event->device).event(event->kind, event->payload);
  }
}

void Machine::take_queued_inputs() {
  if (queued_inputs_.empty()) return;
  for (const Input& input : std::exchange(queued_inputs_, {})) deliver(input);
}

bool Machine::can_ever_wake() const {
  if (events_.next_due() == never) return false;
  for (unsigned number = 0; number < processors(); ++number) {
    if (board_->could_wake(board_->processor(number))) return true;
  }
  return false;
}

bool Machine::shut_down() const {
  for (unsigned number = 0; number < processors(); ++number) {
    if (board_->processor(number).state.shutdown) return true;
  }
  return false;
}

void Machine::set_probe(CpuProbe* probe) {
  for (unsigned number = 0; number < processors(); ++number) board_->processor(number).set_probe(probe);
}

void Machine::set_code_points(std::vector<u64> addresses) {
  for (unsigned number = 0; number < processors(); ++number) board_->processor(number).set_code_points(addresses);
}

void Machine::let_probe_look() {
  tell_context();
  const Cpu& cpu = current();
  cpu.probe->looked(cpu);
}

bool Machine::others_run() const {
  for (unsigned number = 0; number < processors(); ++number) {
    if (number != schedule_.cpu() && board_->processor(number).runs()) return true;
  }
  return false;
}

void Machine::begin_round() {
  std::array<u8, Schedule::most_cpus> running{};
  unsigned count = 0;
  for (unsigned number = 0; number < processors(); ++number) {
    if (board_->processor(number).runs()) running[count++] = static_cast<u8>(number);
  }
  if (count != 0) schedule_.begin(clock_.now(), std::span(running).first(count));
}

void Machine::take_turn(Tick deadline, u64 instructions) {
  Cpu& cpu = current();
  const u64 before = cpu.state.instructions;
  const u64 budget = std::min(schedule_.instructions_until(deadline), instructions);
  bool over = budget == 0 || !cpu.runs();
  if (!over) {
    const CpuExit exit = cpu.run(budget, schedule_.share());
    schedule_.use(cpu.state.instructions - before);
    over = exit == CpuExit::Yielded;
  }
  if (schedule_.alone()) {
    if (!cpu.runs() || others_run()) schedule_.close();
    return;
  }
  if (over || !cpu.runs()) {
    schedule_.forfeit();
    const Tick end = schedule_.turn_end();
    clock_.advance_to(std::max(clock_.now(), std::min(deadline, end)));
    if (clock_.now() >= end) schedule_.end_turn();
  }
}

Machine::RunResult Machine::run(const RunLimits& limits) {
  running_ = true;
  RunResult result;
  for (;;) {
    // Whatever the reason to stop, what is due now has happened: so a run that stops here and goes on equals one that
    // does not stop, and an input that is replayed meets the same machine.
    dispatch_due();
    take_queued_inputs();
    if (current().probe != nullptr) let_probe_look();
    if (exit_ != ExitKind::None) {
      result = {exit_ == ExitKind::PowerOff    ? StopReason::PowerOff
                : exit_ == ExitKind::GuestExit ? StopReason::GuestExit
                                               : StopReason::Reset,
                exit_value_};
      break;
    }
    if (shut_down()) {
      result = {StopReason::TripleFault};
      break;
    }
    if (std::exchange(stop_requested_, false)) {
      result = {StopReason::Stopped};
      break;
    }
    if (clock_.now() >= limits.until) {
      result = {StopReason::TimeLimit};
      break;
    }
    const u64 retired = instructions();
    if (retired >= limits.instructions) {
      result = {StopReason::InstructionLimit};
      break;
    }
    const Tick deadline = std::min(events_.next_due(), limits.until);
    // Whom an event or an input woke takes part from here on, wherever the caller cuts its runs.
    if (schedule_.open() && schedule_.alone() && others_run()) schedule_.close();
    if (!schedule_.open()) begin_round();
    if (schedule_.open()) {
      take_turn(deadline, limits.instructions - retired);
      continue;
    }
    if (!limits.input_follows && !can_ever_wake()) {
      result = {StopReason::HaltedForever};
      break;
    }
    clock_.advance_to(deadline);
  }
  running_ = false;
  return result;
}

// --- the outside
// ------------------------------------------------------------------------------------------------------

void Machine::inject(Input input) {
  if (running_) {
    queued_inputs_.push_back(input);
    return;
  }
  deliver(input);
}

void Machine::deliver(const Input& input) {
  Input stamped = input;
  stamped.time = clock_.now();
  journal_.push_back(stamped);
  tell_context();
  if (input.kind == InputKind::Stop) {
    request_stop();
  } else {
    board_->take_input(stamped);
  }
  dispatch_due();
}

bool Machine::serial_wants_input(u8 port) const { return board_->serial_wants_input(port); }
bool Machine::keyboard_wants_input() const { return board_->keyboard_wants_input(); }
const DiskImage& Machine::disk(unsigned number) const { return board_->ide->disk(number); }
std::vector<std::string> Machine::text_screen() const {
  return board_->vga.screen(physical_memory_.video().subspan(VgaText::text_memory.value - PhysicalMemory::video_start,
                                                             VgaText::text_memory_size));
}

void Machine::request_exit(ExitKind kind, u32 value) {
  if (exit_ != ExitKind::None) return;  // the first one counts
  exit_ = kind;
  exit_value_ = value;
}

void Machine::set_a20(bool enabled) {
  a20_ = enabled;
  for (unsigned number = 0; number < processors(); ++number) board_->processor(number).set_a20(enabled);
}

void Machine::ram_written(PhysicalAddress address, u64 size) {
  for (unsigned number = 0; number < processors(); ++number) board_->processor(number).ram_written(address, size);
}

void Machine::reset() {
  tell_context();
  schedule_.close();
  set_a20(true);
  board_->reset();
  exit_ = ExitKind::None;
  exit_value_ = 0;
}

void Machine::exchange(Archive& archive) {
  archive.section("machine", 2);
  u64 memory_bytes = physical_memory_.size();
  u32 cpus = processors();
  BoardKind board = board_->kind();
  archive(memory_bytes, cpus, board);
  if (archive.loading() &&
      (memory_bytes != physical_memory_.size() || cpus != processors() || board != board_->kind())) {
    archive.refuse(Archive::Error::BadValue);
  }
  if (!archive.ok()) return;
  archive(clock_);
  events_.exchange(archive);
  ledger_.exchange(archive);
  archive.sequence(journal_, most_inputs);
  archive(a20_, exit_, exit_value_);
  schedule_.exchange(archive, cpus, clock_.now());
  if (archive.loading() &&
      (clock_.now() >= latest || !have_devices(events_, board_->device_count()) || exit_ > ExitKind::Reset)) {
    archive.refuse(Archive::Error::BadValue);
  }
  board_->exchange(archive);
  memory_.exchange(archive);
  if (!archive.loading()) return;
  queued_inputs_.clear();
  stop_requested_ = false;
  for (const PhysicalMemory::Range& range : physical_memory_.ram()) ram_written(range.start, range.size);
  tell_context();
}

}  // namespace vitrine
