// One line of one device: which story applies.
#include <fmt/format.h>

#include <algorithm>

#include "observe/apic_fields.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/why/devices.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

std::string_view raised_word(u8 pin) {
  const bool sent = pin == interprocessor_pin || pin == static_cast<u8>(ApicPin::Message);
  return sent ? "sent" : "raised";
}

}  // namespace

std::string Diagnosis::at(u64 address) const { return code_place(address, symbols_); }
std::string Diagnosis::controller_name(u16 source) const { return place_of(source, -1, state_.header()); }

std::string Diagnosis::moment(u64 time) {
  std::string text = moment_text(time);
  const std::size_t last = text.find_last_not_of('0');
  text.erase(text[last] == '.' ? last : last + 1);
  return text + " s";
}

std::string Diagnosis::since(u64 time) { return time == 0 ? " since power-on" : " since " + moment(time); }

std::string Diagnosis::since_by(const SetBy& by) const {
  return since(by.time) + (by.address != 0 ? fmt::format(", by {}", at(by.address)) : "");
}

std::string Diagnosis::line_name(u8 line, u16 source) const {
  return fmt::format("{} ({})", pin_name(line, state_.header()), place_of(source, line, state_.header()));
}

/// A request that others speak of.
std::string Diagnosis::name_of(u64 id) const {
  const Life* life = state_.lives().find(id);
  if (life == nullptr) return fmt::format("request #{}", id);
  const Record* raised = life->first(RecordKind::Raised);
  if (raised != nullptr) return line_name(raised->pin, raised->source);
  const Record* sent = life->first(RecordKind::MessageSent);
  if (sent != nullptr) return line_name(sent->pin, sent->source);
  const Record* entered = life->first(RecordKind::Delivered);
  if (entered == nullptr) return fmt::format("request #{}", id);
  return static_cast<DeliveryKind>(entered->detail) == DeliveryKind::Software
             ? fmt::format("INT {:#04x}", entered->vector)
             : vector_name(entered->vector);
}

WhyAnswer Diagnosis::about(u8 line, u16 source) const {
  WhyAnswer answer;
  answer.subject = line_name(line, source);
  answer.line = line;
  return answer;
}

void Diagnosis::take(Story story, WhyAnswer& answer) {
  answer.cause = std::move(story.cause);
  answer.stuck = answer.stuck || story.stuck;
  answer.now = std::move(story.now);
  for (WhyEvidence& each : story.evidence) answer.evidence.push_back(std::move(each));
  for (std::string& each : story.advice) answer.advice.push_back(std::move(each));
}

void Diagnosis::add_counts(u8 line, u16 source, WhyAnswer& answer) const {
  const LineState* state = state_.line(line, source);
  if (state == nullptr || state->raised == 0) return;
  std::string text = fmt::format("{} so far: {} {}, {} delivered", pin_name(line, state_.header()),
                                 count_text(state->raised), raised_word(line), count_text(state->delivered));
  const auto count = [&](u64 number, std::string_view what) {
    if (number != 0) text += fmt::format(", {} {}", count_text(number), what);
  };
  count(state->merged, "merged into one that waited");
  count(state->withdrawn, "withdrawn");
  count(state->lost, "lost");
  count(state->polled, "taken by polling");
  count(state->failed, "refused by the CPU");
  answer.evidence.push_back({.text = std::move(text)});
}

void Diagnosis::add_settings(u8 line, u16 source, WhyAnswer& answer) const {
  for (const DeviceState& device : state_.devices()) {
    if (device.source != source) continue;
    for (const auto& [number, record] : device.programmed) {
      const auto which = static_cast<DeviceRegister>(number);
      answer.evidence.push_back({.time = record.time,
                                 .text = fmt::format("{} of {}: {}{}", register_title(which),
                                                     with_article(place_of(source, line, state_.header())),
                                                     register_value(which, record.extra),
                                                     record.address != 0 ? ", written at " + at(record.address) : ""),
                                 .address = record.address});
    }
  }
}

WhyAnswer Diagnosis::line(u8 line, u16 source) const {
  if (auto answer = wrong_vector(line, source)) return *answer;
  std::vector<const Life*> waiting_now = state_.pending_on(line, source);
  std::erase_if(waiting_now, [&](const Life* life) { return is_left_behind(*life); });
  if (!waiting_now.empty()) return waiting(*waiting_now.front());
  if (auto answer = withheld(line, source)) return *answer;
  const LineState* state = state_.line(line, source);
  const DeviceState* device = state_.device(source, line);
  const bool raised = state != nullptr && state->raised != 0;
  if (!raised || (is_line(line) && (device == nullptr || device->raised == 0))) return never_raised(line, source);
  if (state->last_failed && (!state->last_delivered || state->last_delivered->time < state->last_failed->time)) {
    return refused(line, source, *state->last_failed);
  }
  if (state->delivered == 0) return raised_in_vain(line, source);
  const Life* last = state_.lives().find(state->last_delivered->id);
  if (last != nullptr && last->in_handler) {
    Story story = not_returned(*last);
    WhyAnswer answer = about(line, source);
    answer.sentence =
        fmt::format("{} was delivered at {}: {}.", answer.subject, moment(state->last_delivered->time), story.clause);
    take(std::move(story), answer);
    answer.id = last->id;
    answer.life = *last;
    add_counts(line, source, answer);
    return answer;
  }
  if (auto answer = still_high(line, source)) return *answer;
  return arrived(line, source);
}

WhyAnswer Diagnosis::waiting(const Life& life) const {
  const Record* raised = life.origin();
  const u8 line = raised != nullptr ? raised->pin : u8{0};
  const LineState* known = state_.line(line);
  const bool by_controller = raised == nullptr || raised->kind == RecordKind::Latched;
  const u16 source = !by_controller ? raised->source : known != nullptr ? known->source : u16{0};
  WhyAnswer answer = about(line, source);
  answer.id = life.id;
  answer.since = raised != nullptr ? raised->time : life.records.front().time;
  answer.life = on_its_way(life);
  const std::string begin =
      fmt::format("{} was {} at {} and not delivered", answer.subject, raised_word(line), moment(answer.since));
  const std::vector<Standing> obstacles = standing(life);
  const Record* lost = obstacles.empty() && goes_by_apics(life) ? life.last(RecordKind::MessageLost) : nullptr;
  if (lost != nullptr) {
    Story story = lost_message(*lost);
    answer.reason = story.clause;
    answer.sentence = fmt::format("{}: {}.", begin, story.clause);
    take(std::move(story), answer);
    add_counts(line, source, answer);
    return answer;
  }
  if (obstacles.empty() && goes_by_apics(life) && life.first(RecordKind::LineLost) != nullptr) {
    Story story = lost_edge(line);
    answer.reason = story.clause;
    answer.sentence = fmt::format("{}: {}.", begin, story.clause);
    take(std::move(story), answer);
    add_counts(line, source, answer);
    return answer;
  }
  if (obstacles.empty()) {
    answer.cause = "on-its-way";
    answer.sentence = fmt::format("{} yet: nothing is known to stand in its way, so it is about to be.", begin);
    answer.evidence.push_back({.time = answer.since, .text = std::string(raised_word(line))});
    add_counts(line, source, answer);
    return answer;
  }
  Story story = explain(obstacles.front(), life, 0);
  add_who_waits_for_whom(life, story);
  answer.reason = story.clause;
  answer.sentence = fmt::format("{}: {}.", begin, story.clause);
  take(std::move(story), answer);
  for (std::size_t i = 1; i < obstacles.size(); ++i) {
    // Requests of other priorities come and go; what was set stays until somebody clears it.
    if (obstacles[i].obstacle == Obstacle::HigherPending) continue;
    Story more = explain(obstacles[i], life, 0);
    answer.evidence.push_back({.time = obstacles[i].by.time != 0 ? std::optional(obstacles[i].by.time) : std::nullopt,
                               .text = fmt::format("that would not be all: {}", more.clause),
                               .address = obstacles[i].by.address});
    answer.stuck = answer.stuck || more.stuck;
  }
  for (const Record& record : life.records) {
    if (record.kind != RecordKind::Merged || record.id == life.id) continue;
    answer.evidence.push_back({.time = record.time, .text = fmt::format("one more, #{}, merged into it", record.id)});
    break;
  }
  // By time; what is of the same moment stays in order.
  const auto moment_of = [](const WhyEvidence& each) { return each.time.value_or(0); };
  for (auto each = answer.evidence.begin(); each != answer.evidence.end(); ++each) {
    const auto place = std::ranges::upper_bound(answer.evidence.begin(), each, moment_of(*each), {}, moment_of);
    std::rotate(place, each, each + 1);
  }
  add_counts(line, source, answer);
  return answer;
}

WhyAnswer Diagnosis::refused(u8 line, u16 source, const Record& failure) const {
  WhyAnswer answer = about(line, source);
  Story story = refusal(failure);
  answer.sentence = fmt::format("{} reached the CPU at {} and was not delivered: {}.", answer.subject,
                                moment(failure.time), story.clause);
  answer.reason = story.clause;
  answer.vector = failure.vector;
  take(std::move(story), answer);
  if (const Life* life = state_.lives().find(failure.id)) answer.life = *life;
  add_counts(line, source, answer);
  return answer;
}

/// An edge that came while the I/O APIC's entry was masked.
Diagnosis::Story Diagnosis::lost_edge(u8 line) const {
  Story story{.cause = "lost",
              .clause = "its edge came while the input was masked, and this controller can't remember that"};
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  const u8 pin = io_apic_pin(line);
  if (chip != nullptr && pin < ApicPicture::pins) {
    const SetBy by{.time = chip->pin[pin].masked.time, .address = chip->pin[pin].masked.address};
    story.clause +=
        fmt::format("; entry {} is {}{}", pin, chip->pin[pin].entry.masked() ? "masked" : "open", since_by(by));
  }
  story.advice.emplace_back("Open the input before the device may interrupt, and look at the device once after that.");
  return story;
}

/// Raised, and never delivered, and nothing of it is left.
WhyAnswer Diagnosis::raised_in_vain(u8 line, u16 source) const {
  const LineState& state = *state_.line(line, source);
  WhyAnswer answer = about(line, source);
  const Life* last = state_.lives().find(state.last_id);
  const std::string begin = fmt::format("{} was {} {} and never delivered", answer.subject, raised_word(line),
                                        state.raised == 1 ? "once" : fmt::format("{} times", count_text(state.raised)));
  std::string why = "what became of it is not known";
  answer.cause = "lost";
  if (last != nullptr) {
    answer.life = *last;
    answer.id = last->id;
    const Record* blocked_last = last->last(RecordKind::Blocked);
    if (const Record* lost = last->last(RecordKind::MessageLost)) {
      Story story = lost_message(*lost);
      why = story.clause;
      take(std::move(story), answer);
    } else if (blocked_last != nullptr && is_swallowed(*blocked_last)) {
      const Standing masked{.obstacle = static_cast<Obstacle>(blocked_last->detail),
                            .place = blocked_last->source,
                            .pin = blocked_last->pin,
                            .cpu = blocked_last->cpu,
                            .by = {.time = blocked_last->since, .address = blocked_last->address},
                            .other = blocked_last->extra};
      Story story = explain(masked, *last, 0);
      why = story.clause + "; nothing remembers it meanwhile";
      take(std::move(story), answer);
    } else if (last->first(RecordKind::LineLost) != nullptr && last->first(RecordKind::Latched) == nullptr) {
      Story story = lost_edge(line);
      why = story.clause;
      take(std::move(story), answer);
    } else if (const Record* merged = last->last(RecordKind::Merged); merged != nullptr && merged->id == last->id) {
      why = fmt::format("it came together with #{}, {}, on the same line", merged->other, name_of(merged->other));
      answer.cause = "merged";
    } else if (state.polled != 0) {
      why = "the guest takes it by polling the 8259, so it gets no vector";
      answer.cause = "polled";
    } else if (const Record* gone = last->last(RecordKind::Withdrawn)) {
      why = fmt::format("the request went away at {}, before the CPU took it", moment(gone->time));
      answer.cause = "withdrawn";
      answer.evidence.push_back({.time = gone->time,
                                 .text = fmt::format("the {} dropped the request: the line fell, or the controller was "
                                                     "initialised",
                                                     controller_name(gone->source))});
    } else if (wrong_polarity_on(line)) {
      const ApicPicture::Pin& pin = state_.apics().io_apic()->pin[io_apic_pin(line)];
      Story story = wrong_polarity(
          {.pin = io_apic_pin(line), .by = {.time = pin.written.time, .address = pin.written.address}}, *last, 0);
      why = story.clause;
      take(std::move(story), answer);
    } else if (const Record* lowered = last->last(RecordKind::Lowered)) {
      why = fmt::format("the line fell again at {}, before a controller noticed", moment(lowered->time));
    }
    if (const Record* blocked = blocked_last; blocked != nullptr && answer.cause == "withdrawn") {
      const auto obstacle = static_cast<Obstacle>(blocked->detail);
      why += fmt::format("; until then it had to wait: {}", obstacle_clause(obstacle));
      answer.evidence.push_back({.time = blocked->time,
                                 .text = fmt::format("it had to wait: {}{}", obstacle_clause(obstacle),
                                                     since_by({.time = blocked->since, .address = blocked->address})),
                                 .address = blocked->address});
    }
  }
  answer.sentence = fmt::format("{}: {}.", begin, why);
  answer.reason = why;
  add_counts(line, source, answer);
  return answer;
}

/// Its handler has come and gone, and the line did not fall: an edge-triggered input will see nothing more. Not so with
/// the timer: a counter's output is high between its pulses, and falls by itself.
std::optional<WhyAnswer> Diagnosis::still_high(u8 line, u16 source) const {
  const LineState& state = *state_.line(line, source);
  const Life* last = state_.lives().find(state.last_delivered->id);
  const auto& sources = state_.header().sources;
  if (source < sources.size() && sources[source].starts_with("pit")) return std::nullopt;
  if (!state.high || last == nullptr || !last->closed || last->last(RecordKind::Returned) == nullptr)
    return std::nullopt;
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  const bool by_apics = is_line(line) && line_goes_by_apics(line);
  const u8 pin = io_apic_pin(line);
  // A level is sent again as long as it lasts.
  if (by_apics && (chip->pin[pin].entry.level() || chip->pin[pin].entry.masked())) return std::nullopt;
  WhyAnswer answer = about(line, source);
  answer.cause = "line-still-high";
  answer.stuck = true;
  answer.life = *last;
  const std::string title = with_article(place_of(source, line, state_.header()));
  const std::string handler = at(state.last_delivered->address);
  const bool attended = last->last(RecordKind::Attended) != nullptr;
  answer.sentence = fmt::format(
      "{} can't be raised again: {} has held its line high since {}, because {}, and the 8259 "
      "waits for it to fall first.",
      answer.subject, title, moment(state.last_raised),
      attended ? fmt::format("{} did not do all that it wants", handler)
               : fmt::format("{} returned without touching it", handler));
  if (by_apics) {
    const std::optional<WantedEntry> wanted = wanted_entry(pin);
    const bool wrong = wanted && wanted->level;
    const ApicPicture::Setting& written = chip->pin[pin].written;
    answer.sentence = fmt::format(
        "{} can't be raised again: its line is high since {}, and entry {} of the I/O APIC is edge-triggered{}, so "
        "nothing is sent until the line has fallen{}.",
        answer.subject, moment(state.last_raised), pin, since_by({.time = written.time, .address = written.address}),
        wrong ? "; but this line is a level, which devices share" : "");
    if (wrong) {
      answer.cause = "wrong-trigger";
      answer.advice.push_back(fmt::format("Set bit 15 (level) of entry {}: PCI's lines and the SCI are levels.", pin));
    }
  }
  answer.reason = answer.sentence;
  Story story;
  add_handler_evidence(*last, story);
  answer.evidence = std::move(story.evidence);
  if (const DeviceKnowledge* knowledge = knowledge_of(state_.source_name(source), line);
      knowledge != nullptr && !knowledge->how_to_serve.empty()) {
    answer.advice.emplace_back(knowledge->how_to_serve);
  }
  add_counts(line, source, answer);
  return answer;
}

WhyAnswer Diagnosis::arrived(u8 line, u16 source) const {
  const LineState& state = *state_.line(line, source);
  const Record& delivered = *state.last_delivered;
  const Life* last = state_.lives().find(delivered.id);
  const ControllerState* controller = state_.controller_of(line);
  WhyAnswer answer = about(line, source);
  answer.vector = delivered.vector;
  const std::string counts = fmt::format("{} of {}", count_text(state.delivered), counted(state.raised, "request"));
  const std::string when = fmt::format("the last time at {}, with vector {:#04x}, to {}", moment(delivered.time),
                                       delivered.vector, at(delivered.address));
  const bool in_apic =
      last != nullptr && std::ranges::any_of(state_.apics().locals(), [&](const auto& local) {
        return std::ranges::any_of(local.in_service, [&](const auto& each) { return each.second.id == last->id; });
      });
  const bool in_8259 = last != nullptr && last->in_service && controller != nullptr && !goes_by_apics(*last);
  if (in_apic || in_8259) {
    Story story = in_apic ? unended_in_apic(*last) : unended(*last, *controller);
    answer.sentence =
        fmt::format("{} arrived ({} delivered), {}; it is the last: {}.", answer.subject, counts, when, story.clause);
    take(std::move(story), answer);
  } else {
    answer.cause = "arrived";
    answer.sentence = fmt::format("{} arrives: {} delivered, {}.", answer.subject, counts, when);
  }
  if (last != nullptr) answer.life = *last;
  answer.reason = answer.sentence;
  add_settings(line, source, answer);
  add_counts(line, source, answer);
  return answer;
}

}  // namespace vitrine
