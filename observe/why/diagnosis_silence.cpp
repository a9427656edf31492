// Why a line is silent: the device keeps its request to itself, was never asked to interrupt, or is not there.
#include <fmt/format.h>

#include <algorithm>

#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/why/devices.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

/// An HPET timer's route is the pin of the I/O APIC, which is the line: IA-PC HPET 1.0a, 2.3.8.
bool leads_to(const Record& record, u8 line) {
  return static_cast<ControllerRegister>(record.detail) == ControllerRegister::HpetTimer &&
         (record.extra >> 9 & 0x1F) == line && line >= first_pci_line;
}

}  // namespace

std::optional<WhyAnswer> Diagnosis::withheld(u8 line, u16 source) const {
  const DeviceState* device = state_.device(source, line);
  if (device == nullptr || !device->withheld) return std::nullopt;
  const Record& record = *device->withheld;
  const std::string name = state_.source_name(source);
  const DeviceKnowledge* knowledge = knowledge_of(name, line);
  const LineState* state = state_.line(line, source);
  const SetBy by{.time = record.since, .address = record.address};
  const std::string set = by.address != 0 ? since_by(by) : by.time == 0 ? ", and never was otherwise" : since(by.time);

  WhyAnswer answer = about(line, source);
  answer.since = record.time;
  answer.stuck = true;
  const bool before = device->raised != 0;
  std::string reason;
  std::string_view advice = knowledge != nullptr ? knowledge->how_to_enable : std::string_view();
  switch (static_cast<WithheldCause>(record.detail)) {
    case WithheldCause::InterruptEnableOff:
      answer.cause = "device-interrupt-off";
      reason = fmt::format("its own interrupt-enable bit is off{}", set);
      break;
    case WithheldCause::OutputGateOff:
      answer.cause = "device-gate-off";
      reason = fmt::format("the gate behind its interrupt-enable bit (OUT2) is closed{}", set);
      break;
    case WithheldCause::BufferNotRead:
    case WithheldCause::FlagNotRead: {
      const bool flag = static_cast<WithheldCause>(record.detail) == WithheldCause::FlagNotRead;
      answer.cause = flag ? "flag-not-read" : "buffer-not-read";
      reason = fmt::format("{}{}, so its line can't rise again",
                           flag ? "the flag that it set before was never read" : "what it said before was never read",
                           by.time != 0 ? since(by.time) : "");
      if (knowledge != nullptr && !knowledge->how_to_serve.empty()) advice = knowledge->how_to_serve;
      const Life* last =
          state != nullptr && state->last_delivered ? state_.lives().find(state->last_delivered->id) : nullptr;
      if (last != nullptr && last->last(RecordKind::Attended) == nullptr) {
        reason += fmt::format("; {} did not touch it", at(state->last_delivered->address));
        Story story;
        add_handler_evidence(*last, story);
        answer.evidence = std::move(story.evidence);
        answer.life = *last;
      }
      break;
    }
    case WithheldCause::PortDisabled:
      answer.cause = "device-off";
      reason = fmt::format("its port is switched off{}", set);
      break;
    default:
      answer.cause = "device-not-programmed";
      reason = fmt::format("it has not been programmed to the end{}", set);
      break;
  }
  const std::string title = with_article(place_of(source, line, state_.header()));
  if (answer.cause == "device-not-programmed") {
    answer.sentence =
        fmt::format("{} {}: {}.", answer.subject, before ? "is not raised any more" : "was never raised", reason);
  } else {
    answer.sentence = fmt::format("{} {}: {} has had cause for it since {} ({}), but {}.", answer.subject,
                                  before ? "is not raised any more" : "was never raised", title, moment(record.time),
                                  cause_clause(name, record.extra), reason);
  }
  answer.reason = reason;
  answer.evidence.push_back(
      {.time = record.time,
       .text = fmt::format("{}: {}; its line stays low", title, cause_clause(name, record.extra))});
  add_settings(line, source, answer);
  add_counts(line, source, answer);
  if (!advice.empty()) answer.advice.emplace_back(advice);
  return answer;
}

WhyAnswer Diagnosis::never_raised(u8 line, u16 source) const {
  WhyAnswer answer = about(line, source);
  answer.cause = "never-raised";
  const std::string title = with_article(place_of(source, line, state_.header()));
  const DeviceKnowledge* knowledge = knowledge_of(state_.source_name(source), line);
  const Record* enable = nullptr;
  bool programmed = false;
  for (const DeviceState& device : state_.devices()) {
    if (device.source != source) continue;
    programmed = programmed || !device.programmed.empty();
    const auto found =
        knowledge != nullptr ? device.programmed.find(knowledge->enable_register) : device.programmed.end();
    if (found != device.programmed.end()) enable = &found->second;
  }
  std::string why;
  const bool off_at_power_on = knowledge != nullptr && knowledge->enable_bits != 0 && knowledge->source != "i8042";
  if (enable != nullptr && (enable->extra & knowledge->enable_bits) == 0) {
    answer.cause = "device-interrupt-off";
    why = fmt::format("{} is {:#04x}, which enables no interrupt{}",
                      register_title(static_cast<DeviceRegister>(enable->detail)), enable->extra,
                      since_by({.time = enable->time, .address = enable->address}));
  } else if (enable == nullptr && off_at_power_on) {
    answer.cause = "device-not-enabled";
    why = fmt::format("the guest has never enabled the interrupts of {}{}", title,
                      programmed ? "" : ", nor programmed it at all");
  } else if (knowledge != nullptr) {
    why = fmt::format("{} has had no cause for it; it comes when {}", title, knowledge->when_it_comes);
  } else {
    why = fmt::format("{} has had no cause for it", title);
  }
  answer.sentence = fmt::format("{} was never raised: {}.", answer.subject, why);
  answer.reason = why;
  add_settings(line, source, answer);
  if (answer.cause != "never-raised" && knowledge != nullptr) answer.advice.emplace_back(knowledge->how_to_enable);
  const ControllerState* controller = is_line(line) ? state_.controller_of(line) : nullptr;
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  const u8 pin = io_apic_pin(line);
  if (!is_line(line)) {
    const ApicPicture::Local* local = state_.apics().local(source);
    const auto entry =
        local != nullptr ? local->local_vector.find(line) : std::map<u8, ApicPicture::Setting>::const_iterator{};
    if (local == nullptr || entry == local->local_vector.end() || !VectorEntry{entry->second.value}.masked())
      return answer;
    const SetBy by{.time = entry->second.time, .address = entry->second.address};
    answer.evidence.push_back(
        {.text = fmt::format("it would not get through either: its LVT entry is masked{}", since_by(by)),
         .address = by.address});
    return answer;
  }
  if (chip != nullptr && pin < ApicPicture::pins && line_goes_by_apics(line)) {
    if (!chip->pin[pin].entry.masked()) return answer;
    const SetBy by{.time = chip->pin[pin].masked.time, .address = chip->pin[pin].masked.address};
    answer.evidence.push_back(
        {.text =
             fmt::format("it would not get through either: entry {} of the I/O APIC is masked{}", pin, since_by(by)),
         .address = by.address});
    return answer;
  }
  if (controller != nullptr && (controller->mask >> (line & 7) & 1) != 0) {
    const SetBy& by = controller->pin[line & 7].masked;
    answer.evidence.push_back({.text = fmt::format("it would not get through either: mask bit {} of the {} is set{}",
                                                   line & 7, controller_name(controller->source), since_by(by)),
                               .address = by.address});
  }
  return answer;
}

bool Diagnosis::wrong_polarity_on(u8 line) const {
  const u8 pin = io_apic_pin(line);
  if (!is_line(line) || pin >= ApicPicture::pins || !line_goes_by_apics(line)) return false;
  const std::optional<WantedEntry> wanted = wanted_entry(pin);
  const VectorEntry& entry = state_.apics().io_apic()->pin[pin].entry;
  return wanted && !entry.masked() && wanted->active_low != entry.active_low();
}

/// Who has set which of its timers, and what keeps them.
void Diagnosis::add_hpet_settings(WhyAnswer& answer) const {
  const Record* control = nullptr;
  bool some_on = false;
  for (const Record& record : state_.hpet()) {
    const auto which = static_cast<ControllerRegister>(record.detail);
    const bool timer = which == ControllerRegister::HpetTimer;
    if (!timer) control = &record;
    some_on = some_on || (timer && (record.extra >> 2 & 1) != 0);
    answer.evidence.push_back(
        {.time = record.time,
         .text = fmt::format("{}: {}{}", timer ? fmt::format("timer {}", record.pin) : "general configuration",
                             register_words(which, record.pin, record.extra),
                             record.address != 0 ? ", written at " + at(record.address) : ""),
         .address = record.address});
  }
  const bool runs = control != nullptr && (control->extra & 1) != 0;
  if (!some_on) {
    answer.cause = "device-not-enabled";
    answer.sentence = "no timer of the HPET has its interrupt on.";
    answer.advice.emplace_back(
        "Set bit 2 (interrupt) of a timer's configuration (offset 0x100 + 0x20 * n), with its route "
        "in bits 9 to 13, and then bit 0 of the general configuration (offset 0x10).");
  } else if (!runs) {
    answer.cause = "device-not-enabled";
    answer.sentence = fmt::format("the HPET's counter stands still{}.",
                                  control != nullptr && control->address != 0
                                      ? since_by({.time = control->time, .address = control->address})
                                      : std::string());
    answer.advice.emplace_back("Set bit 0 of the general configuration (offset 0x10).");
  } else {
    answer.sentence = "the HPET's counter runs, and has not met a comparator whose timer has its interrupt on.";
    answer.advice.emplace_back(
        "A comparator has 64 bits, or 32 in 32-bit mode, all set after reset: write both halves "
        "(offset 0x108 + 0x20 * n), with a value that the counter has not passed.");
  }
}

WhyAnswer Diagnosis::silent_source(u16 source) const {
  WhyAnswer answer;
  answer.cause = "never-raised";
  const std::string name = with_article(place_of(source, -1, state_.header()));
  answer.subject = place_of(source, -1, state_.header());
  answer.sentence = fmt::format("{} has raised no interrupt, and had no cause for one.", name);
  if (state_.source_name(source) == "hpet") add_hpet_settings(answer);
  if (answer.sentence.front() >= 'a' && answer.sentence.front() <= 'z')
    answer.sentence[0] = static_cast<char>(answer.sentence[0] - 'a' + 'A');
  answer.reason = answer.sentence;
  return answer;
}

WhyAnswer Diagnosis::empty_line(u8 line) const {
  WhyAnswer answer;
  answer.line = line;
  answer.cause = "no-device";
  const auto known = std::ranges::find(state_.header().lines, u32{line}, &TraceLine::number);
  const std::string name = known == state_.header().lines.end() ? "" : fmt::format(" ({})", known->name);
  answer.subject = fmt::format("{}{}", pin_name(line, state_.header()), name);
  answer.sentence =
      line == 2 ? "IRQ 2 was never raised: it is the input of the first 8259 that the second one's IRQ 8 to 15 "
                  "come through."
                : fmt::format("{} was never raised: {}.", answer.subject,
                              line < first_pci_line ? "this machine has no device on it" : "no device has asked on it");
  // On a board with four PIRQs the last pins of the I/O APIC are the HPET's alone; else a timer may be led there.
  const bool hpets = pin_name(line, state_.header()) != pin_name(line);
  if (hpets || std::ranges::any_of(state_.hpet(), [&](const Record& record) { return leads_to(record, line); })) {
    add_hpet_settings(answer);
    answer.sentence = fmt::format("{} was never raised: {}", answer.subject, answer.sentence);
  }
  answer.reason = answer.sentence;
  return answer;
}

}  // namespace vitrine
