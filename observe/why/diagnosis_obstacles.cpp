// What keeps a request from the CPU: each obstacle a row of a table, each row a story.
#include <fmt/format.h>

#include <algorithm>

#include "base/bits.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

constexpr int deepest = 3;  // how far a chain of requests that wait for each other is followed
constexpr u8 cascade_pin = 2;

u16 mask_port(const ControllerState& controller) { return controller.first_line == 0 ? 0x21 : 0xA1; }

/// Two that stand for the same thing give the same reason.
u8 rank_of(const ControllerState& controller, u8 pin) {
  return static_cast<u8>((pin - controller.lowest_priority - 1) & (ControllerState::pins - 1));
}

}  // namespace

const std::vector<Diagnosis::ObstacleRow>& Diagnosis::obstacle_rows() {
  static const std::vector<ObstacleRow> rows = {
      {Obstacle::NotInitialised, &Diagnosis::not_initialised},   {Obstacle::Masked, &Diagnosis::masked},
      {Obstacle::CascadeMasked, &Diagnosis::cascade_masked},     {Obstacle::InServiceHigher, &Diagnosis::in_service},
      {Obstacle::HigherPending, &Diagnosis::higher_pending},     {Obstacle::InterruptFlag, &Diagnosis::interrupt_flag},
      {Obstacle::InterruptShadow, &Diagnosis::interrupt_shadow}, {Obstacle::None, &Diagnosis::shut_down},
      {Obstacle::PriorityTooLow, &Diagnosis::priority_too_low},  {Obstacle::ApicDisabled, &Diagnosis::apic_disabled},
      {Obstacle::EntryMasked, &Diagnosis::entry_masked},         {Obstacle::RemoteIrr, &Diagnosis::remote_irr},
      {Obstacle::FunctionMasked, &Diagnosis::not_let_out},       {Obstacle::BusMasterOff, &Diagnosis::not_let_out},
      {Obstacle::NotConnected, &Diagnosis::not_let_out},
  };
  return rows;
}

Diagnosis::Story Diagnosis::explain(const Standing& standing, const Life& life, int depth) const {
  if (standing.special == Special::WrongPolarity) return wrong_polarity(standing, life, depth);
  if (standing.special == Special::CpuNotStarted) return cpu_not_started(standing, life, depth);
  for (const ObstacleRow& row : obstacle_rows()) {
    if (row.obstacle == standing.obstacle) return (this->*row.explain)(standing, life, depth);
  }
  return {.cause = std::string(obstacle_name(standing.obstacle)),
          .clause = fmt::format("{}: {}{}", controller_name(standing.place), obstacle_clause(standing.obstacle),
                                since_by(standing.by))};
}

/// In the order in which the request meets them.
std::vector<Diagnosis::Standing> Diagnosis::standing(const Life& life) const {
  std::vector<Standing> found;
  if (goes_by_apics(life)) {
    add_apic_obstacles(life, found);
    return found;
  }
  const Record* blocked = life.last(RecordKind::Blocked);
  if (blocked != nullptr && static_cast<Obstacle>(blocked->detail) == Obstacle::NotConnected) {
    found.push_back({.obstacle = Obstacle::NotConnected,
                     .place = blocked->source,
                     .pin = blocked->pin,
                     .by = {.time = blocked->since, .address = blocked->address}});
  }
  const std::optional<u8> line = input_of(life);
  const ControllerState* controller = line ? state_.controller_of(*line) : nullptr;
  if (controller != nullptr) {
    add_controller_obstacles(life, *controller, *line & 7, found);
    const ControllerState* primary = controller->first_line != 0 ? state_.controller_of(0) : nullptr;
    if (primary != nullptr) add_controller_obstacles(life, *primary, cascade_pin, found);
  }
  add_virtual_wire_obstacles(found);
  add_cpu_obstacles(life, 0, found);
  return found;
}

void Diagnosis::add_controller_obstacles(const Life& life, const ControllerState& controller, u8 pin,
                                         std::vector<Standing>& into) const {
  const u16 place = controller.source;
  if (!controller.initialised) {
    into.push_back({.obstacle = Obstacle::NotInitialised, .place = place, .by = controller.initialised_by});
    return;
  }
  if (bit(controller.mask, pin)) {
    const bool cascade = controller.first_line == 0 && pin == cascade_pin;
    into.push_back({.obstacle = cascade ? Obstacle::CascadeMasked : Obstacle::Masked,
                    .place = place,
                    .pin = pin,
                    .by = controller.pin[pin].masked});
  }
  const u8 rank = rank_of(controller, pin);
  for (u8 other = 0; other < ControllerState::pins; ++other) {
    const ControllerState::PinState& serving = controller.pin[other];
    if (!serving.in_service || rank_of(controller, other) > rank) continue;
    if (controller.special_mask && bit(controller.mask, other)) continue;
    into.push_back({.obstacle = Obstacle::InServiceHigher,
                    .place = place,
                    .pin = other,
                    .by = {.time = serving.in_service_since},
                    .other = serving.serving});
    return;
  }
  for (const Life* each : state_.pending()) {
    if (!each->line()) continue;
    const u8 line = *each->line();
    const bool here = line >= controller.first_line && line < controller.first_line + ControllerState::pins;
    const u8 other = line & 7;
    if (each->id == life.id || !here || bit(controller.mask, other) || rank_of(controller, other) >= rank) continue;
    into.push_back({.obstacle = Obstacle::HigherPending, .place = place, .pin = other, .other = each->id});
    return;
  }
}

void Diagnosis::add_cpu_obstacles(const Life& life, u8 cpu, std::vector<Standing>& into) const {
  const CpuNow& now = state_.cpu(cpu);
  if (now.shutdown) {
    into.push_back({.obstacle = Obstacle::None,
                    .place = now.shutdown->source,
                    .cpu = cpu,
                    .by = {.time = now.shutdown->time, .address = now.shutdown->address}});
    return;
  }
  // What the CPU said last of this request; it may speak of another one first.
  const Record* said = nullptr;
  for (const Record& record : life.records) {
    const auto obstacle = static_cast<Obstacle>(record.detail);
    if (record.kind != RecordKind::Blocked || record.cpu != cpu) continue;
    if (obstacle == Obstacle::InterruptFlag || obstacle == Obstacle::InterruptShadow) said = &record;
  }
  const auto frames = state_.lives().frames(cpu);
  const bool entered_since = said != nullptr && !frames.empty() && frames.back().time > said->time;
  if (said != nullptr && !entered_since) {
    into.push_back({.obstacle = static_cast<Obstacle>(said->detail),
                    .place = said->source,
                    .cpu = cpu,
                    .by = {.time = said->since, .address = said->address}});
  } else if (now.halted && now.halted->detail == 0) {
    into.push_back({.obstacle = Obstacle::InterruptFlag,
                    .place = now.halted->source,
                    .cpu = cpu,
                    .by = {.time = now.halted->time, .address = now.halted->address}});
  } else if (entered_since && into.empty()) {
    // The CPU says it once for each request; the handler that it has entered since then switched IF off again.
    into.push_back(
        {.obstacle = Obstacle::InterruptFlag, .place = said->source, .cpu = cpu, .by = {.time = frames.back().time}});
  }
}

Diagnosis::Story Diagnosis::masked(const Standing& standing, const Life& life, int) const {
  const ControllerState& controller = *state_.controller(standing.place);
  const bool by_firmware = standing.by.address == 0 && standing.by.time == 0;
  Story story{.cause = "masked",
              .clause = fmt::format(
                  "the {} masks it: mask bit {} is set{}", controller_name(standing.place), standing.pin,
                  by_firmware ? " since power-on, and the guest has never cleared it" : since_by(standing.by))};
  if (!by_firmware) {
    story.evidence.push_back(
        {.time = standing.by.time,
         .text = fmt::format("mask bit {} of the {} set at {}; the mask is {:#04x} now", standing.pin,
                             controller_name(standing.place), at(standing.by.address), controller.mask),
         .address = standing.by.address});
  }
  if (const u8 line = life.line().value_or(0); line >= first_pci_line) {
    story.evidence.push_back({.text = fmt::format("the router leads {} to IRQ {}", pin_name(line, state_.header()),
                                                  controller.first_line + standing.pin)});
  }
  story.advice.push_back(
      fmt::format("Clear bit {} of port {:#x} once the handler is there, and leave the other bits as they "
                  "are.",
                  standing.pin, mask_port(controller)));
  return story;
}

Diagnosis::Story Diagnosis::cascade_masked(const Standing& standing, const Life&, int) const {
  const bool by_firmware = standing.by.address == 0 && standing.by.time == 0;
  Story story{
      .cause = "cascade-masked",
      .clause = fmt::format("the second 8259 asks for it, but the first 8259 masks the input that it asks on (mask bit "
                            "{}){}",
                            standing.pin, by_firmware ? " since power-on" : since_by(standing.by))};
  if (!by_firmware) {
    story.evidence.push_back({.time = standing.by.time,
                              .text = fmt::format("mask bit {} of the {} set at {}", standing.pin,
                                                  controller_name(standing.place), at(standing.by.address)),
                              .address = standing.by.address});
  }
  story.advice.push_back(
      fmt::format("Clear bit {} of port 0x21 too: all of IRQ 8 to 15 comes through it.", standing.pin));
  return story;
}

Diagnosis::Story Diagnosis::not_initialised(const Standing& standing, const Life&, int) const {
  const std::string chip = controller_name(standing.place);
  Story story{.cause = "not-initialised", .stuck = true};
  story.clause = standing.by.address == 0
                     ? fmt::format("nobody has initialised the {}", chip)
                     : fmt::format("the {} waits for the rest of its initialisation words; ICW1 came at {}, from {}",
                                   chip, moment(standing.by.time), at(standing.by.address));
  if (standing.by.address != 0) {
    story.evidence.push_back({.time = standing.by.time,
                              .text = fmt::format("ICW1 to the {} at {}; until ICW2 to ICW4 it answers nothing", chip,
                                                  at(standing.by.address)),
                              .address = standing.by.address});
  }
  story.advice.emplace_back(
      "After ICW1, write ICW2 (vector base), ICW3 (cascade) and, if ICW1 bit 0 is set, ICW4 to the "
      "chip's other port.");
  return story;
}

Diagnosis::Story Diagnosis::in_service(const Standing& standing, const Life& life, int) const {
  if (state_.apics().local(standing.place) != nullptr) return in_service_of_apic(standing, life);
  const ControllerState& controller = *state_.controller(standing.place);
  const std::string chip = controller_name(standing.place);
  const Life* served = standing.other != 0 ? state_.lives().find(standing.other) : nullptr;
  if (served == nullptr) {
    return {.cause = "missing-eoi",
            .clause = fmt::format("the {} has input {} in service{} and got no EOI for it{}", chip, standing.pin,
                                  since(standing.by.time),
                                  standing.other == 0 ? "; a spurious interrupt of the second 8259 needs one too" : ""),
            .advice = {"End what was in service: write 0x20 to port 0x20."},
            .stuck = true};
  }
  const bool own = served->line() == life.line();
  const bool is_higher = !own && controller.first_line == 0;
  Story story = unended(*served, controller);
  story.clause = fmt::format("the {} still has {} in service{}{}; {}", chip, own ? "it" : name_of(served->id),
                             since(standing.by.time), is_higher ? ", which goes before it" : "", story.clause);
  return story;
}

Diagnosis::Story Diagnosis::unended(const Life& served, const ControllerState& controller) const {
  const std::string chip = controller_name(controller.source);
  const Record* entered = served.last(RecordKind::Delivered);
  const Record* left = served.last(RecordKind::Returned);
  const Record* failed = served.last(RecordKind::DeliveryFailed);
  if (entered == nullptr && failed != nullptr) {
    Story story = refusal(*failed);
    story.clause += ", so nobody sent its EOI";
    return story;
  }
  if (entered == nullptr) {
    return {.cause = "missing-eoi",
            .clause = "a poll command took it, and no EOI came for it",
            .advice = {"An interrupt that was taken by a poll needs its EOI too."},
            .stuck = true};
  }
  if (served.in_handler) return not_returned(served);
  Story story{.stuck = true};
  const Record* other_end = nullptr;  // the EOI that went to the other chip of the cascade
  for (const Record& record : served.records) {
    if (record.kind == RecordKind::EndOfInterrupt && record.source != controller.source &&
        record.time >= entered->time) {
      other_end = &record;
    }
  }
  const std::string handler = at(entered->address);
  add_handler_evidence(served, story);
  if (other_end != nullptr) {
    story.cause = "eoi-half-cascade";
    story.clause = fmt::format("{} sent its EOI to the {} only", handler, controller_name(other_end->source));
    story.advice.emplace_back(
        "An interrupt of the second 8259 needs two EOIs: 0x20 to port 0xA0 and 0x20 to port 0x20.");
  } else if (const Record* other = misdirected_end(served);
             other != nullptr && state_.apics().local(other->source) != nullptr) {
    story.cause = "eoi-wrong-controller";
    story.clause =
        fmt::format("{} sent its EOI to the {}, which had nothing in service", handler, controller_name(other->source));
    story.advice.emplace_back(
        "It came through the 8259, so it ends there: 0x20 to port 0x20, for IRQ 8 to 15 to port 0xA0 first.");
  } else {
    story.cause = "missing-eoi";
    story.clause = left != nullptr
                       ? fmt::format("{} returned without EOI", handler)
                       : fmt::format("{} never returned and sent no EOI: its frame has been overwritten", handler);
    story.advice.push_back(served.line().value_or(0) < 8
                               ? "Write 0x20 to port 0x20 in the handler, on every path to its IRET."
                               : "Write 0x20 to port 0xA0 and to port 0x20 in the handler, on every path to its IRET.");
  }
  if (controller.last_end && controller.last_end->time > entered->time && controller.last_end->id != served.id) {
    const Record& end = *controller.last_end;
    story.evidence.push_back({.time = end.time,
                              .text = fmt::format("the last EOI that the {} got, at {}, ended {}", chip,
                                                  at(end.address), end.id != 0 ? name_of(end.id) : "nothing"),
                              .address = end.address});
  }
  return story;
}

Diagnosis::Story Diagnosis::higher_pending(const Standing& standing, const Life& life, int depth) const {
  const Life* other = state_.lives().find(standing.other);
  Story story{.cause = "higher-pending", .clause = fmt::format("{} waits too and goes first", name_of(standing.other))};
  if (other == nullptr || depth == deepest) return story;
  for (const Standing& next : this->standing(*other)) {
    if (next.obstacle == Obstacle::HigherPending && next.other == life.id) continue;
    Story reason = explain(next, *other, depth + 1);
    story.clause += ": " + reason.clause;
    reason.clause = story.clause;
    return reason;
  }
  return story;
}

Diagnosis::Story Diagnosis::interrupt_flag(const Standing& standing, const Life&, int) const {
  const CpuNow& cpu = state_.cpu(standing.cpu);
  const std::string who = fmt::format("CPU {}", standing.cpu);
  const auto frames = state_.lives().frames(standing.cpu);
  const auto frame = std::ranges::find(frames, standing.by.time, &LiveFrame::time);
  const bool halted = cpu.halted && cpu.halted->detail == 0;
  Story story{.cause = "interrupts-off"};
  if (frame != frames.end()) {
    const Life* life = frame->id != 0 ? state_.lives().find(frame->id) : nullptr;
    if (life != nullptr) story = not_returned(*life);
    story.clause = fmt::format("{} has interrupts off (IF=0){}, when it entered {} for {}, which has not returned", who,
                               since(standing.by.time), at(frame->address),
                               frame->id != 0 ? name_of(frame->id) : "a spurious interrupt");
  } else if (standing.by.address == 0 && standing.by.time == 0) {
    story.clause = fmt::format("{} has interrupts off (IF=0) since power-on: the guest has never set IF", who);
    story.advice.emplace_back("Execute STI once the IDT and the handlers are in place.");
  } else if (standing.by.address == 0) {
    story.clause = fmt::format("{} has interrupts off (IF=0) since it was started at {}: it has never set IF", who,
                               moment(standing.by.time));
    story.advice.emplace_back("Execute STI on that CPU once its IDT is loaded and its local APIC is on.");
  } else {
    story.clause = fmt::format("{} has interrupts off (IF=0){}", who, since_by(standing.by));
    story.evidence.push_back({.time = standing.by.time,
                              .text = fmt::format("IF cleared at {}", at(standing.by.address)),
                              .address = standing.by.address});
    story.advice.emplace_back("Follow the code from there: on some path nothing sets IF again (STI, POPF, IRET).");
  }
  if (halted) {
    story.stuck = true;
    story.clause += fmt::format("; it sleeps in HLT at {}, and nothing can wake it", at(cpu.halted->address));
    story.evidence.push_back({.time = cpu.halted->time,
                              .text = fmt::format("HLT with IF=0 at {}", at(cpu.halted->address)),
                              .address = cpu.halted->address});
    story.advice.emplace_back("To wait for an interrupt, execute STI right before HLT.");
  } else if (frame == frames.end()) {
    add_where_the_cpu_is(standing.cpu, story);
  }
  return story;
}

Diagnosis::Story Diagnosis::interrupt_shadow(const Standing& standing, const Life&, int) const {
  return {.cause = "interrupt-shadow",
          .clause = fmt::format("CPU {} is in the shadow of STI or MOV SS at {}: it takes interrupts after the next "
                                "instruction",
                                standing.cpu, at(standing.by.address))};
}

Diagnosis::Story Diagnosis::shut_down(const Standing& standing, const Life&, int) const {
  Story story{.cause = "triple-fault",
              .clause = fmt::format("CPU {} shut down (triple fault) at {}, at {}", standing.cpu,
                                    moment(standing.by.time), at(standing.by.address)),
              .stuck = true};
  story.evidence.push_back({.time = standing.by.time,
                            .text = fmt::format("triple fault at {}", at(standing.by.address)),
                            .address = standing.by.address});
  return story;
}

}  // namespace vitrine
