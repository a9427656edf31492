// What the CPU did with a request: entered a handler that did not come back, refused the gate, took it for an
// exception.
#include <fmt/format.h>

#include <algorithm>

#include "observe/life/places.hpp"
#include "observe/names.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

constexpr u8 first_free_vector = 32;  // SDM vol. 3A, 6.2: 0 to 31 are the architecture's

}  // namespace

void Diagnosis::add_handler_evidence(const Life& life, Story& story) const {
  const Record* entered = life.last(RecordKind::Delivered);
  if (entered == nullptr) return;
  story.evidence.push_back({.time = entered->time,
                            .text = fmt::format("vector {:#04x} entered {}, interrupting {}", entered->vector,
                                                at(entered->address), at(entered->other)),
                            .address = entered->address});
  for (const Record& record : life.records) {
    if (record.time < entered->time) continue;
    if (record.kind == RecordKind::Attended) {
      story.evidence.push_back(
          {.time = record.time,
           .text = fmt::format("{} was served at {}",
                               with_article(place_of(record.source, record.pin, state_.header())), at(record.address)),
           .address = record.address});
    } else if (record.kind == RecordKind::EndOfInterrupt) {
      story.evidence.push_back(
          {.time = record.time,
           .text = fmt::format("EOI to the {} at {}", controller_name(record.source), at(record.address)),
           .address = record.address});
    } else if (record.kind == RecordKind::Returned) {
      story.evidence.push_back({.time = record.time,
                                .text = fmt::format("IRET at {}{}", at(record.address),
                                                    life.in_service ? ", with no EOI before it or since" : ""),
                                .address = record.address});
    }
  }
}

u64 Diagnosis::place_at_end(u8 cpu) const {
  if (!end_.cpus.empty()) return cpu < end_.cpus.size() ? end_.cpus[cpu] : 0;
  const bool alone = std::ranges::find(state_.header().sources, "cpu1") == state_.header().sources.end();
  return alone && cpu == 0 ? end_.address : 0;
}

std::string Diagnosis::cpu_name(u8 cpu) const {
  const bool alone = std::ranges::find(state_.header().sources, "cpu1") == state_.header().sources.end();
  return alone ? std::string("the CPU") : fmt::format("CPU {}", cpu);
}

void Diagnosis::add_where_the_cpu_is(u8 cpu, Story& story) const {
  const CpuNow& now = state_.cpu(cpu);
  if (now.halted) {
    story.evidence.push_back({.time = now.halted->time,
                              .text = fmt::format("{} sleeps in HLT at {}", cpu_name(cpu), at(now.halted->address)),
                              .address = now.halted->address});
  } else if (const u64 place = place_at_end(cpu); place != 0) {
    story.evidence.push_back({.time = end_.time,
                              .text = fmt::format("{} was at {} when the run ended", cpu_name(cpu), at(place)),
                              .address = place});
  } else if (now.last) {
    story.evidence.push_back(
        {.time = now.last->time,
         .text = fmt::format("the last that is known of {} is {}", cpu_name(cpu), at(now.last->address)),
         .address = now.last->address});
  }
}

/// Its frame is still there. Says nothing of what that means for others.
Diagnosis::Story Diagnosis::not_returned(const Life& life) const {
  const Record& entered = *life.last(RecordKind::Delivered);
  const auto frames = state_.lives().frames(entered.cpu);
  const u64 runs = now() > entered.time ? now() - entered.time : 0;
  const bool runs_now = state_.lives().running(entered.cpu) == life.id;
  const bool is_nested_in = !runs_now && std::ranges::any_of(frames, [&](const LiveFrame& frame) {
    return frame.id != life.id && frame.id == state_.lives().running(entered.cpu) && frame.time > entered.time;
  });
  const CpuNow& cpu = state_.cpu(entered.cpu);
  Story story{.cause = "handler-never-returned"};
  story.clause = fmt::format("{} has run since then and not returned", at(entered.address));
  if (!runs_now && !is_nested_in) {
    story.clause = fmt::format("{} has not returned, and {} has gone on elsewhere (a thread switch in the handler?)",
                               at(entered.address), cpu_name(entered.cpu));
  } else if (cpu.halted) {
    story.clause += fmt::format("; {} sleeps in HLT at {}", cpu_name(entered.cpu), at(cpu.halted->address));
    story.stuck = cpu.halted->detail == 0;
  } else if (const u64 place = place_at_end(entered.cpu); place != 0) {
    story.clause += fmt::format("; {} was last at {}", cpu_name(entered.cpu), at(place));
  }
  if (runs < why_patience && !story.stuck) story.cause = "handler-running";
  add_handler_evidence(life, story);
  add_where_the_cpu_is(entered.cpu, story);
  if (story.cause == "handler-never-returned") {
    story.advice.emplace_back(
        "Find what the handler waits for: a lock that the interrupted code holds, a device, another "
        "interrupt while IF=0.");
  }
  return story;
}

Diagnosis::Story Diagnosis::refusal(const Record& failure) const {
  const auto check = static_cast<FailedCheck>(failure.detail);
  Story story{.cause = "delivery-refused",
              .clause = fmt::format("CPU {} could not enter its handler through vector {:#04x}: {}", failure.cpu,
                                    failure.vector, check_clause(check)),
              .stuck = true};
  story.evidence.push_back({.time = failure.time,
                            .text = fmt::format("vector {:#04x} refused: {}; the CPU was at {}", failure.vector,
                                                check_clause(check), at(failure.address)),
                            .address = failure.address});
  if (const Life* life = state_.lives().find(failure.id)) {
    const Record* became = life->last(RecordKind::Exception);
    if (became != nullptr && became->id != failure.id) {
      const std::string_view mnemonic = vector_mnemonic(became->vector);
      story.evidence.push_back({.time = became->time,
                                .text = fmt::format("so the CPU raised {}{}{} instead", mnemonic,
                                                    mnemonic.empty() ? "" : " ", vector_name(became->vector))});
    }
  }
  const CpuNow& cpu = state_.cpu(failure.cpu);
  if (cpu.shutdown) {
    story.evidence.push_back(
        {.time = cpu.shutdown->time,
         .text = fmt::format("and that one failed too, which ended in a triple fault at {}", at(cpu.shutdown->address)),
         .address = cpu.shutdown->address});
  }
  switch (check) {
    case FailedCheck::GateNotPresent:
    case FailedCheck::BadGateType:
      story.advice.push_back(
          fmt::format("Put an interrupt gate with the present bit into entry {:#04x} of the IDT.", failure.vector));
      break;
    case FailedCheck::VectorPastLimit:
      story.advice.emplace_back(
          "Give LIDT a limit of 256 entries (4095 in 64-bit mode, 2047 else), or fewer and no vector "
          "above them.");
      break;
    default:
      story.advice.push_back(
          fmt::format("Check entry {:#04x} of the IDT: its selector, its offset, and the stack that the "
                      "entry switches to.",
                      failure.vector));
      break;
  }
  return story;
}

std::optional<WhyAnswer> Diagnosis::wrong_vector(u8 line, u16 source) const {
  const LineState* state = state_.line(line, source);
  if (state == nullptr) return std::nullopt;
  const std::optional<Record>& last =
      !state->last_failed || (state->last_delivered && state->last_delivered->time > state->last_failed->time)
          ? state->last_delivered
          : state->last_failed;
  if (!last || last->vector >= first_free_vector) return std::nullopt;
  const Life* life = state_.lives().find(last->id);
  // Who returns and sends an EOI takes it for what it is: real mode, where the firmware's vectors are right.
  if (life != nullptr && life->closed && life->last(RecordKind::Returned) != nullptr) return std::nullopt;

  WhyAnswer answer = about(line, source);
  answer.cause = "wrong-vector";
  answer.stuck = true;
  const bool by_apics = life != nullptr ? goes_by_apics(*life) : !is_line(line) || line_goes_by_apics(line);
  const ControllerState* controller = by_apics ? nullptr : state_.controller_of(line);
  std::string why;
  if (by_apics) why = "; its entry in the APICs has that vector";
  if (controller != nullptr) {
    const SetBy& by = controller->vector_base_by;
    const std::string chip = controller_name(controller->source);
    why = by.address == 0
              ? fmt::format("; the {} still counts from {}, as the firmware left it", chip, controller->vector_base)
              : fmt::format("; the {} counts from {}{}", chip, controller->vector_base, since_by(by));
    answer.evidence.push_back(
        {.time = by.address == 0 ? std::nullopt : std::optional(by.time),
         .text = fmt::format(
             "vectors of the {}: {:#04x} to {:#04x}{}", chip, controller->vector_base, controller->vector_base + 7,
             by.address == 0 ? ", from the firmware; the guest has not moved them" : ", set at " + at(by.address)),
         .address = by.address});
  }
  answer.sentence = fmt::format("{} arrives as vector {}, which is the CPU's own: {}{}.", answer.subject, last->vector,
                                vector_name(last->vector), why);
  Story story;
  if (last->kind == RecordKind::DeliveryFailed) {
    story = refusal(*last);
  } else if (life != nullptr) {
    add_handler_evidence(*life, story);
    if (life->in_handler) add_where_the_cpu_is(last->cpu, story);
  }
  for (WhyEvidence& each : story.evidence) answer.evidence.push_back(std::move(each));
  answer.advice.emplace_back(
      by_apics ? "Give it a vector from 0x20 on: 0 to 0x1F are the CPU's own."
               : "Before the first STI, initialise both 8259s (ICW1 to ICW4) with vector bases of 0x20 and 0x28, "
                 "and mask what has no handler yet.");
  if (life != nullptr) answer.life = *life;
  return answer;
}

}  // namespace vitrine
