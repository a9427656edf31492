// From the state of all interrupts to sentences. One object for one question; it changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "observe/why/interrupt_state.hpp"
#include "observe/why/why.hpp"

namespace vitrine {

class Diagnosis {
 public:
  Diagnosis(const InterruptState& state, const RunEnd& end, const Symboliser* symbols)
      : state_(state), end_(end), symbols_(symbols) {}

  /// What became of this device's requests on this line.
  [[nodiscard]] WhyAnswer line(u8 line, u16 source) const;
  [[nodiscard]] WhyAnswer vector(u8 vector) const;
  /// A line that nothing drives.
  [[nodiscard]] WhyAnswer empty_line(u8 line) const;
  /// A component that has raised no line and sent no message.
  [[nodiscard]] WhyAnswer silent_source(u16 source) const;
  /// Set if the device has cause for an interrupt and keeps it to itself.
  [[nodiscard]] std::optional<WhyAnswer> withheld(u8 line, u16 source) const;
  /// Set if it comes to the CPU by a vector that is an exception's.
  [[nodiscard]] std::optional<WhyAnswer> wrong_vector(u8 line, u16 source) const;
  /// The request waits, or its delivery was refused.
  [[nodiscard]] WhyAnswer waiting(const Life& life) const;
  [[nodiscard]] WhyAnswer refused(u8 line, u16 source, const Record& failure) const;
  /// A message that no local APIC took.
  [[nodiscard]] WhyAnswer message_to_nobody(const Record& lost) const;
  /// Do requests of this line go through the I/O APIC, as the guest has set it up?
  [[nodiscard]] bool line_goes_by_apics(u8 line) const;
  /// The guest has masked all inputs of the 8259s and turned to the APICs.
  [[nodiscard]] bool has_left_the_8259s() const;
  /// The last request of this device on this line that a masked 8259 has kept, while later ones took the way through
  /// the I/O APIC: it waits for nothing.
  [[nodiscard]] bool is_left_behind(const Life& life) const;

  /// "IRQ 1 (keyboard)".
  [[nodiscard]] std::string line_name(u8 line, u16 source) const;

 private:
  /// Something that keeps a request from the CPU now.
  enum class Special : u8 { None, WrongPolarity, CpuNotStarted };
  struct Standing {
    Obstacle obstacle{};
    Special special{};  ///< what no record names
    u16 place = 0;      // source of the controller or CPU
    u8 pin = 0;         // of the controller; of a local APIC, the vector or ApicPin
    u8 cpu = 0;
    SetBy by;
    u64 other = 0;  // id that is in service, or goes first
  };
  /// A part of an answer.
  struct Story {
    std::string cause, clause;
    std::vector<WhyEvidence> evidence;
    std::vector<std::string> advice;
    bool stuck = false;
    std::string now;  // how its last controller stands: WhyAnswer::now
  };
  using Explain = Story (Diagnosis::*)(const Standing&, const Life&, int) const;
  struct ObstacleRow {
    Obstacle obstacle;
    Explain explain;
  };
  static const std::vector<ObstacleRow>& obstacle_rows();

  // Obstacles: diagnosis_obstacles.cpp.
  [[nodiscard]] std::vector<Standing> standing(const Life& life) const;
  void add_controller_obstacles(const Life& life, const ControllerState& controller, u8 pin,
                                std::vector<Standing>& into) const;
  void add_cpu_obstacles(const Life& life, u8 cpu, std::vector<Standing>& into) const;
  [[nodiscard]] Story explain(const Standing& standing, const Life& life, int depth) const;
  Story masked(const Standing& standing, const Life& life, int depth) const;
  Story cascade_masked(const Standing& standing, const Life& life, int depth) const;
  Story in_service(const Standing& standing, const Life& life, int depth) const;
  Story interrupt_flag(const Standing& standing, const Life& life, int depth) const;
  Story interrupt_shadow(const Standing& standing, const Life& life, int depth) const;
  Story not_initialised(const Standing& standing, const Life& life, int depth) const;
  Story higher_pending(const Standing& standing, const Life& life, int depth) const;
  Story shut_down(const Standing& standing, const Life& life, int depth) const;
  /// Why `served` is still in service.
  [[nodiscard]] Story unended(const Life& served, const ControllerState& controller) const;

  // APICs: diagnosis_apics.cpp.
  [[nodiscard]] bool goes_by_apics(const Life& life) const;
  [[nodiscard]] std::optional<u8> input_of(const Life& life) const;
  /// Without what controllers that the guest has masked made of it.
  [[nodiscard]] Life on_its_way(const Life& life) const;
  void add_masked_8259(const Life& life, Story& story) const;
  [[nodiscard]] std::string_view eoi_not_told_advice() const;
  void add_apic_obstacles(const Life& life, std::vector<Standing>& into) const;
  void add_local_obstacles(const ApicPicture::Local& local, u8 vector, std::vector<Standing>& into) const;
  void add_virtual_wire_obstacles(std::vector<Standing>& into) const;
  /// Is it off, by IA32_APIC_BASE (`other`: 1) or by SVR, and by whom?
  [[nodiscard]] static std::optional<Standing> switched_off(const ApicPicture::Local& local);
  [[nodiscard]] Story set_off(std::string cause, std::string clause, const SetBy& by, std::string advice) const;
  Story entry_masked(const Standing& standing, const Life& life, int depth) const;
  Story apic_disabled(const Standing& standing, const Life& life, int depth) const;
  Story priority_too_low(const Standing& standing, const Life& life, int depth) const;
  Story not_let_out(const Standing& standing, const Life& life, int depth) const;
  Story wrong_polarity(const Standing& standing, const Life& life, int depth) const;
  Story cpu_not_started(const Standing& standing, const Life& life, int depth) const;
  Story remote_irr(const Standing& standing, const Life& life, int depth) const;
  [[nodiscard]] Story in_service_of_apic(const Standing& standing, const Life& life) const;
  [[nodiscard]] Story unended_in_apic(const Life& served) const;
  [[nodiscard]] const Record* misdirected_end(const Life& served) const;
  [[nodiscard]] bool wrong_polarity_on(u8 line) const;

  // Messages, and CPUs that wait for each other: diagnosis_messages.cpp.
  [[nodiscard]] Story lost_message(const Record& lost) const;
  [[nodiscard]] std::string loss_advice(const Record& lost, MessageLoss loss) const;
  void add_who_waits_for_whom(const Life& life, Story& story) const;
  /// The local APIC that has accepted it last; null: none.
  [[nodiscard]] const Record* acceptance(const Life& life) const;

  // The CPU and its handlers: diagnosis_handlers.cpp.
  [[nodiscard]] Story not_returned(const Life& life) const;
  void add_handler_evidence(const Life& life, Story& story) const;
  void add_where_the_cpu_is(u8 cpu, Story& story) const;
  /// Where the CPU was when the run ended; 0: not known.
  [[nodiscard]] u64 place_at_end(u8 cpu) const;
  /// "the CPU", or which of several.
  [[nodiscard]] std::string cpu_name(u8 cpu) const;
  [[nodiscard]] Story refusal(const Record& failure) const;

  // Lines and devices: diagnosis_lines.cpp; silent ones: diagnosis_silence.cpp.
  [[nodiscard]] WhyAnswer never_raised(u8 line, u16 source) const;
  [[nodiscard]] WhyAnswer raised_in_vain(u8 line, u16 source) const;
  [[nodiscard]] WhyAnswer arrived(u8 line, u16 source) const;
  [[nodiscard]] std::optional<WhyAnswer> still_high(u8 line, u16 source) const;
  [[nodiscard]] Story lost_edge(u8 line) const;
  void add_hpet_settings(WhyAnswer& answer) const;
  void add_counts(u8 line, u16 source, WhyAnswer& answer) const;
  void add_settings(u8 line, u16 source, WhyAnswer& answer) const;
  [[nodiscard]] WhyAnswer about(u8 line, u16 source) const;
  static void take(Story story, WhyAnswer& answer);

  // Vectors: diagnosis_vectors.cpp.
  [[nodiscard]] WhyAnswer exception(u8 vector) const;

  [[nodiscard]] std::string at(u64 address) const;
  [[nodiscard]] std::string controller_name(u16 source) const;
  [[nodiscard]] std::string name_of(u64 id) const;
  /// "since 1.2 s, by init (pic.c:7)".
  [[nodiscard]] std::string since_by(const SetBy& by) const;
  [[nodiscard]] static std::string moment(u64 time);
  [[nodiscard]] static std::string since(u64 time);
  [[nodiscard]] u64 now() const { return end_.time > state_.now() ? end_.time : state_.now(); }

  const InterruptState& state_;
  const RunEnd& end_;
  const Symboliser* symbols_;
};

}  // namespace vitrine
