// A PC: the machine that everything else is about. The library's face.
//
// A Machine owns its time, buses, devices, CPU, ledger and journal; two of them live in one process without knowing of
// each other. What happens in it depends on nothing but its options, the guest's files and the journal.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/boards/board_wiring.hpp"
#include "machine/boards/physical_memory.hpp"
#include "machine/boards/schedule.hpp"
#include "machine/boot/load_guest.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/bus.hpp"
#include "machine/core/clock.hpp"
#include "machine/core/disk_image.hpp"
#include "machine/core/event_queue.hpp"
#include "machine/core/ledger.hpp"
#include "machine/core/outside.hpp"
#include "machine/devices/local_apic/die_temperature.hpp"

namespace vitrine {

class CpuProbe;
class PcBoard;

struct MachineOptions {
  u64 memory_bytes = u64{256} << 20;
  BoardKind board = BoardKind::Pc;
  unsigned cpus = 1;                     ///< 1 to as many as the board takes (BoardTraits::most_cpus)
  bool x2apic = true;                    ///< false: CPUID does not show x2APIC, and it can't be switched on
  u64 slice = 1000;                      ///< instructions of a turn where several CPUs run: 1..1,000,000 (schedule.hpp)
  u64 schedule_seed = 0;                 ///< 0: turns are equal and in order; else they are drawn from it
  u64 seed = 0;                          ///< of RDRAND and RDSEED
  u64 rtc_unix_seconds = 1'767'225'600;  ///< what the clock chip shows at power-on: 2026-01-01 00:00:00 UTC
  static constexpr u64 pc_serial_crystal_hz = 1'843'200;  ///< IBM PC/AT Technical Reference, the serial adapter
  /// The crystal of the serial ports. This one makes a line 256 times as fast as a PC's, so that a kernel that prints
  /// at 9600 baud does not spend a million instructions on each character.
  u64 serial_crystal_hz = pc_serial_crystal_hz * 256;
  DieTemperature::Cooling cooling;  ///< of every core
  /// Device 0 and 1 of the primary IDE channel, then of the secondary one; without sectors: none is there.
  std::array<DiskImage, 4> disks;
  Outputs* outputs = nullptr;  ///< not owned; null: what the machine sends out is lost
};

class Machine final : public MachineControl, private RamWatcher {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<Machine>, MachineError> create(const MachineOptions& options);
  ~Machine() override;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Does what firmware would have done (interrupt controllers, timer, tables), puts the guest into memory and the CPU
  /// at its entry. Once, before the first run().
  [[nodiscard]] std::expected<LoadedGuest, BootError> boot(const GuestFiles& files, const BootOptions& options = {
                                                                                        .screen = BootScreen::VgaText});
  /// The first half of boot(): what firmware leaves behind. For guests that are put into memory by hand.
  void initialise_as_firmware();

  struct RunLimits {
    Tick until = never;          ///< absolute virtual time
    u64 instructions = ~u64{0};  ///< absolute number of retired instructions, of all CPUs together
    bool input_follows = false;  ///< the caller will inject something: no halt is for good
  };
  enum class StopReason : u8 {
    TimeLimit,
    InstructionLimit,
    HaltedForever,  ///< HLT, and nothing in the machine can wake it. An input may: inject() and run again
    TripleFault,
    GuestExit,  ///< RunResult::value is what the guest wrote
    PowerOff,
    Reset,    ///< the guest pulled the reset line: reset() or make a new machine
    Stopped,  ///< request_stop()
  };
  struct RunResult {
    StopReason reason{};
    u32 value = 0;
  };
  /// Runs until a limit or an end. After a limit, HaltedForever or Stopped it may be called again, and the machine goes
  /// on as if it had never stopped. After the other ends it returns the same again until reset().
  RunResult run(const RunLimits& limits);

  /// Hands an input to the machine: stamps it with now(), writes it into the journal, gives it to its device. From
  /// within run() (Outputs::byte_out): at the next instruction boundary.
  void inject(Input input);
  [[nodiscard]] const std::vector<Input>& journal() const { return journal_; }
  /// run() returns Stopped at the next instruction boundary. May be called from Outputs::byte_out.
  void request_stop() { stop_requested_ = true; }

  /// The reset line: every chip and the CPU as after power-on, memory as it is. Time and journal go on.
  void reset();

  /// Attaches a probe to the CPU (not owned), or none (null). To see all, before the first run().
  /// machine/cpu/probe.hpp.
  void set_probe(CpuProbe* probe);
  /// Linear addresses, ascending: CpuProbe::code_point() is called before the instructions there. May be called from a
  /// callback of the probe; takes effect when the running block of instructions ends.
  void set_code_points(std::vector<u64> addresses);

  [[nodiscard]] Ledger& ledger() { return ledger_; }
  /// `number`: below processors(). The first one starts the machine.
  [[nodiscard]] Cpu& cpu(unsigned number = 0);
  [[nodiscard]] unsigned processors() const;
  /// Retired by all CPUs since power-on.
  [[nodiscard]] u64 instructions() const;
  [[nodiscard]] PcBoard& board() { return *board_; }
  [[nodiscard]] PortBus& ports() { return ports_; }
  [[nodiscard]] MemoryBus& memory() { return memory_; }
  [[nodiscard]] Clock& clock() { return clock_; }
  [[nodiscard]] EventQueue& events() { return events_; }
  /// The guest waits for a byte on COM`port` (0..3), and a byte given now is not lost.
  [[nodiscard]] bool serial_wants_input(u8 port) const;
  [[nodiscard]] bool keyboard_wants_input() const;
  /// What is on disk `number` (0..3, as in MachineOptions) now.
  [[nodiscard]] const DiskImage& disk(unsigned number) const;
  /// The 80x25 text screen as UTF-8 lines without trailing spaces.
  [[nodiscard]] std::vector<std::string> text_screen() const;

  /// The whole machine. On loading: a machine made with the same options; it must not be used after a refusal.
  void exchange(Archive& archive);

  // MachineControl
  void request_exit(ExitKind kind, u32 value) override;
  void set_a20(bool enabled) override;
  [[nodiscard]] bool a20() const override { return a20_; }

 private:
  Machine(const MachineOptions& options, PhysicalMemory memory);
  void ram_written(PhysicalAddress address, u64 size) override;
  void dispatch_due();
  void deliver(const Input& input);
  void take_queued_inputs();
  void let_probe_look();
  [[nodiscard]] bool can_ever_wake() const;
  [[nodiscard]] bool shut_down() const;
  /// The CPU whose instruction stands for what happens now.
  [[nodiscard]] Cpu& current() const;
  void tell_context();
  bool others_run() const;
  void begin_round();
  void take_turn(Tick deadline, u64 instructions);

  MachineOptions options_;
  PhysicalMemory physical_memory_;
  Clock clock_;
  EventQueue events_;
  Ledger ledger_{clock_};
  PortBus ports_;
  MemoryBus memory_;
  std::unique_ptr<Outputs> no_outputs_;
  std::unique_ptr<PcBoard> board_;
  Schedule schedule_;

  std::vector<Input> journal_;
  std::vector<Input> queued_inputs_;  // injected from within run()
  bool running_ = false;
  bool stop_requested_ = false;
  bool a20_ = true;
  ExitKind exit_ = ExitKind::None;
  u32 exit_value_ = 0;
};

}  // namespace vitrine
