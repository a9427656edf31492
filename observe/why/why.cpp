#include "observe/why/why.hpp"

#include <algorithm>
#include <cctype>

#include "observe/apic_fields.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/why/devices.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

constexpr u8 first_free_vector = 32;

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

/// A device on a line of this trace.
struct Seat {
  u16 source = 0;
  u8 line = 0;
  bool operator==(const Seat&) const = default;
};

/// A line is told once, whoever drives it.
bool is_told(const std::vector<Seat>& told, u8 line, u16 source) {
  return std::ranges::any_of(
      told, [&](const Seat& seat) { return seat.line == line && (is_line(line) || seat.source == source); });
}

std::vector<Seat> seats(const InterruptState& state) {
  std::vector<Seat> found;
  const auto add = [&](Seat seat) {
    if (std::ranges::find(found, seat) == found.end()) found.push_back(seat);
  };
  const auto& sources = state.header().sources;
  for (const DeviceKnowledge& known : known_devices()) {
    const auto source = std::ranges::find(sources, known.source);
    if (source != sources.end()) add({static_cast<u16>(source - sources.begin()), known.line});
  }
  for (const DeviceState& device : state.devices()) {
    // A register that both lines of a chip share is not a seat of its own.
    if (device.raised != 0 || device.withheld) add({device.source, device.line});
  }
  for (const LineState* line : state.lines()) {
    if (line->pin == interprocessor_pin) add({line->source, line->pin});
  }
  return found;
}

/// A request that this source has sent with this vector and that waits.
const Life* waiting_with(const InterruptState& state, const Seat& seat, u8 vector) {
  for (const Life* life : state.pending_on(seat.line, seat.source)) {
    for (const Record& record : life->records) {
      const bool has_vector = record.kind == RecordKind::Latched || record.kind == RecordKind::MessageSent;
      if (has_vector && record.vector == vector) return life;
    }
  }
  return nullptr;
}

/// Did what this source sends without a line come with this vector last, or would it?
bool comes_with(const InterruptState& state, const Seat& seat, u8 vector) {
  const LineState* own = state.line(seat.line, seat.source);
  if (own != nullptr && own->last_delivered && own->last_delivered->vector == vector) return true;
  if (vector < first_legal_vector) return false;
  if (seat.line == static_cast<u8>(ApicPin::Message)) {
    return std::ranges::any_of(state.messages(), [&](const MessageSetting& each) {
      return each.source == seat.source && each.vector == vector;
    });
  }
  const ApicPicture::Local* local = state.apics().local(seat.source);
  if (local == nullptr) return false;
  const auto entry = local->local_vector.find(seat.line);
  if (entry == local->local_vector.end()) return false;
  const VectorEntry value{entry->second.value};
  return value.has_vector() && value.vector() == vector;
}

/// Sources that could send without a line, and have not yet: entries of local vector tables, messages that were set.
std::vector<Seat> silent_senders(const InterruptState& state) {
  std::vector<Seat> found;
  for (const ApicPicture::Local& local : state.apics().locals()) {
    for (const auto& [pin, entry] : local.local_vector) found.push_back({local.source, pin});
  }
  for (const MessageSetting& each : state.messages()) {
    const Seat seat{each.source, static_cast<u8>(ApicPin::Message)};
    if (std::ranges::find(found, seat) == found.end()) found.push_back(seat);
  }
  const std::vector<Seat> known = seats(state);
  std::erase_if(found, [&](const Seat& seat) { return std::ranges::find(known, seat) != known.end(); });
  return found;
}

}  // namespace

std::vector<WhyAnswer> WhyBuilder::about_line(u8 line, const RunEnd& end, const Symboliser* symbols) const {
  const Diagnosis diagnosis(state_, end, symbols);
  std::vector<Seat> here = seats(state_);
  std::erase_if(here, [&](const Seat& seat) { return seat.line != line; });
  const LineState* state = state_.line(line);
  if (here.empty() && (state == nullptr || state->raised == 0)) return {diagnosis.empty_line(line)};

  std::vector<WhyAnswer> answers;
  // The line's requests are told once; a device that shares it has a say if it keeps something to itself.
  u16 first = here.empty() ? u16{0} : here.front().source;
  for (const Seat& seat : here) {
    const DeviceState* device = state_.device(seat.source, line);
    if (device != nullptr && device->withheld) first = seat.source;
  }
  if (state != nullptr && state->raised != 0) first = state->source;
  answers.push_back(diagnosis.line(line, first));
  for (const Seat& seat : here) {
    if (seat.source == first) continue;
    if (auto answer = diagnosis.withheld(line, seat.source)) answers.push_back(std::move(*answer));
  }
  return answers;
}

std::vector<WhyAnswer> WhyBuilder::about_vector(u8 vector, const RunEnd& end, const Symboliser* symbols) const {
  const Diagnosis diagnosis(state_, end, symbols);
  const VectorState* state = state_.vector(vector);
  const u32 came = state != nullptr ? state->lines : 0;
  std::vector<WhyAnswer> answers;
  for (u8 line = 0; line < 32; ++line) {
    const ApicPicture::IoApic* chip = state_.apics().io_apic();
    const u8 pin = io_apic_pin(line);
    const bool by_apics = diagnosis.line_goes_by_apics(line);
    // An entry that is masked has its vector all the same, and so has the input of an 8259.
    const bool written = chip != nullptr && pin < ApicPicture::pins && chip->pin[pin].written.address != 0;
    const VectorEntry entry = written ? chip->pin[pin].entry : VectorEntry{};
    const ControllerState* controller = by_apics && !entry.masked() && written ? nullptr : state_.controller_of(line);
    // Below 32 the number is an exception's first of all, even if a controller has not been moved away from there.
    const bool sends =
        (controller != nullptr && vector >= first_free_vector && controller->vector_base + (line & 7) == vector) ||
        (written && entry.has_vector() && entry.vector() == vector && (vector >= first_free_vector || !entry.masked()));
    if (!sends && (came >> line & 1) == 0) continue;
    for (WhyAnswer& answer : about_line(line, end, symbols)) {
      answer.vector = vector;
      answers.push_back(std::move(answer));
    }
  }
  for (const Seat& seat : seats(state_)) {
    if (is_line(seat.line)) continue;
    if (const Life* waiting = waiting_with(state_, seat, vector)) {
      answers.push_back(diagnosis.waiting(*waiting));
    } else if (comes_with(state_, seat, vector)) {
      answers.push_back(diagnosis.line(seat.line, seat.source));
    } else {
      continue;
    }
    answers.back().vector = vector;
  }
  for (const Seat& seat : silent_senders(state_)) {
    if (!comes_with(state_, seat, vector)) continue;
    answers.push_back(diagnosis.line(seat.line, seat.source));
    answers.back().vector = vector;
  }
  for (const Record& lost : state_.apics().lost()) {
    if (lost.vector == vector && !is_line(lost.pin)) answers.push_back(diagnosis.message_to_nobody(lost));
  }
  const bool other = state != nullptr && state->exceptions + state->software != 0;
  if (answers.empty() || other) answers.push_back(diagnosis.vector(vector));
  return answers;
}

std::expected<std::vector<WhyAnswer>, std::string> WhyBuilder::about_source(std::string_view name, const RunEnd& end,
                                                                            const Symboliser* symbols) const {
  const Diagnosis diagnosis(state_, end, symbols);
  std::vector<WhyAnswer> answers;
  std::vector<std::string> titles;
  const auto& sources = state_.header().sources;
  for (const Seat& seat : seats(state_)) {
    const std::string title = device_title(sources.size() > seat.source ? sources[seat.source] : "", seat.line);
    if (same_word(name, title) || same_word(name, state_.source_name(seat.source)) ||
        same_word(name, pin_name(seat.line))) {
      answers.push_back(diagnosis.line(seat.line, seat.source));
    }
    if (std::ranges::find(titles, title) == titles.end()) titles.push_back(title);
  }
  if (!answers.empty()) return answers;
  for (const TraceLine& line : state_.header().lines) {
    if (same_word(name, line.name)) return about_line(static_cast<u8>(line.number), end, symbols);
  }
  for (std::size_t source = 0; source < sources.size(); ++source) {
    if (same_word(name, sources[source]) || same_word(name, device_title(sources[source], -1)))
      return std::vector{diagnosis.silent_source(static_cast<u16>(source))};
  }
  std::string known;
  for (const std::string& title : titles) known += (known.empty() ? "" : ", ") + title;
  return std::unexpected(known);
}

/// The timer ticks from power-on, as the firmware leaves it: a guest that never opens its line does not wait for it.
bool WhyBuilder::is_wanted(u8 line, u16 source) const {
  if (!is_line(line)) return true;
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  const bool opened = chip != nullptr && io_apic_pin(line) < ApicPicture::pins && chip->pin[io_apic_pin(line)].opened;
  if (opened) return true;
  const ControllerState* controller = state_.controller_of(line);
  const bool masked = controller != nullptr && (controller->mask >> (line & 7) & 1) != 0;
  return state_.source_name(source) != "pit" || !masked || controller->pin[line & 7].opened;
}

std::vector<WhyAnswer> WhyBuilder::about_what_is_stuck(const RunEnd& end, const Symboliser* symbols) const {
  const Diagnosis diagnosis(state_, end, symbols);
  std::vector<WhyAnswer> answers;
  std::vector<Seat> told;
  for (const Life* life : state_.pending()) {
    const u8 line = life->origin()->pin;
    const LineState* state = state_.line(line, life->origin()->source);
    const u16 source = state != nullptr ? state->source : life->origin()->source;
    if (is_told(told, line, source)) continue;
    if (state != nullptr && !is_wanted(line, source)) continue;
    WhyAnswer answer = diagnosis.line(line, source);
    // A masked 8259 holds it, and the way through the I/O APIC is open: the line is not connected there.
    const bool not_on_its_way = answer.cause == "on-its-way" || answer.cause == "lost";
    if (not_on_its_way && is_line(line) && diagnosis.line_goes_by_apics(line)) continue;
    const bool is_final = end.reason == "halted" || end.reason == "triple-fault";
    const bool is_slow = is_final || (end.time > answer.since && end.time - answer.since >= why_patience);
    if (!answer.stuck && (!is_slow || answer.id == 0)) continue;
    told.push_back({source, line});
    answers.push_back(std::move(answer));
  }
  for (const LineState* state : state_.lines()) {
    const u8 line = state->pin;
    if (is_told(told, line, state->source)) continue;
    const bool refused =
        state->last_failed && (!state->last_delivered || state->last_delivered->time < state->last_failed->time);
    if (!refused && !diagnosis.wrong_vector(line, state->source)) continue;
    told.push_back({state->source, line});
    answers.push_back(diagnosis.line(line, state->source));
  }
  for (const Seat& seat : seats(state_)) {
    if (is_told(told, seat.line, seat.source)) continue;
    const DeviceState* device = state_.device(seat.source, seat.line);
    if (device == nullptr || !device->withheld ||
        !is_worth_telling(state_.source_name(seat.source), *device->withheld)) {
      continue;
    }
    if (auto answer = diagnosis.withheld(seat.line, seat.source)) answers.push_back(std::move(*answer));
  }
  for (const Record& lost : state_.apics().lost()) {
    // The second start-up message of the usual pair, and a broadcast on a machine with one CPU, are in order.
    const bool to_all = (lost.extra >> message_extra::shorthand & 3) == 3;
    if (static_cast<MessageLoss>(lost.detail) == MessageLoss::NotWaiting || to_all || is_line(lost.pin)) continue;
    const Life* life = state_.lives().find(lost.id);
    if (life != nullptr && life->origin() != nullptr && is_line(life->origin()->pin)) continue;  // its line is told
    answers.push_back(diagnosis.message_to_nobody(lost));
  }
  return answers;
}

}  // namespace vitrine
