// Files of /proc/PID.
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/fs/procfs.hpp"
#include "kernel/memory/page_allocator.hpp"

namespace pulse {

namespace {

/// Linux's unit for times in /proc: hundredths of a second.
constexpr u64 hundredth = 10'000'000;

struct Summary {
  std::string_view name;
  char state = 'Z';
  u64 user_ticks = 0, system_ticks = 0;
  u64 size = 0, resident = 0;  // bytes
  u64 mask = 0, pending = 0;
  i64 priority = 20, nice = 0;
};

Summary summarise(const Process& process) {
  Summary summary{.user_ticks = process.user_ticks, .system_ticks = process.system_ticks};
  for (const Thread* thread : process.threads) {
    summary.user_ticks += thread->user_ticks;
    summary.system_ticks += thread->system_ticks;
  }
  summary.pending = process.pending_signals;
  if (!process.threads.empty()) {
    const Thread& first = *process.threads.front();
    summary.name = first.name;
    const bool runs = first.state == ThreadState::Running || first.state == ThreadState::Ready;
    summary.state = process.stopped ? 'T' : runs ? 'R' : 'S';
    summary.nice = first.nice;
    summary.priority = 20 + first.nice;
    summary.mask = first.signal_mask;
    summary.pending |= first.pending_signals;
  } else if (!process.program_path.empty()) {
    summary.name = {process.program_path.data(), process.program_path.size()};
    summary.name.remove_prefix(summary.name.rfind('/') + 1);
  }
  if (process.space) {
    for (const Area& area : process.space->areas()) summary.size += area.end - area.begin;
    summary.resident = process.space->resident_pages() * page_bytes;
  }
  return summary;
}

/// The number whose decimal digits are the octal ones of `value`.
u32 octal(u32 value) {
  u32 result = 0;
  for (u32 place = 1; value != 0; place *= 10, value /= 8) result += value % 8 * place;
  return result;
}

u64 tick_hundredths(u64 ticks) { return ticks * nanoseconds_per_tick() / hundredth; }

u32 parent_of(const Process& process) { return process.parent != nullptr ? process.parent->id : 0; }

void write_stat(TextSink& out, const Process& process) {
  const Summary summary = summarise(process);
  // 8, 9: terminal and its foreground group, flags and faults, none of them kept.
  format(out, "{} ({}) {} {} {} {} 0 -1 0 0 0 0 0 {} {} 0 0 {} {} {} 0 {} {} {} ", process.id, summary.name,
         summary.state, parent_of(process), process.group, process.session, tick_hundredths(summary.user_ticks),
         tick_hundredths(summary.system_ticks), summary.priority, summary.nice, process.threads.size(),
         process.started / hundredth, summary.size, summary.resident / page_bytes);
  format(out, "18446744073709551615 0 0 0 0 0 {} {} 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 {}\n", summary.pending,
         summary.mask, process.exit_status);
}

void write_statm(TextSink& out, const Process& process) {
  const Summary summary = summarise(process);
  format(out, "{} {} 0 0 0 0 0\n", summary.size / page_bytes, summary.resident / page_bytes);
}

std::string_view state_text(char state) {
  switch (state) {
    case 'R':
      return "R (running)";
    case 'S':
      return "S (sleeping)";
    case 'T':
      return "T (stopped)";
    default:
      return "Z (zombie)";
  }
}

void write_status(TextSink& out, const Process& process) {
  const Summary summary = summarise(process);
  u64 ignored = 0;
  u64 caught = 0;
  for (u32 number = 1; process.actions && number <= signal::most; ++number) {
    const u64 handler = process.actions->of[number].handler;
    if (handler == vitrine::abi::ignore_handler) {
      ignored |= signal_bit(number);
    } else if (handler != 0) {
      caught |= signal_bit(number);
    }
  }
  format(out, "Name:\t{}\nUmask:\t{:04}\nState:\t{}\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n",
         summary.name, process.location ? octal(process.location->creation_mask) : 0, state_text(summary.state),
         process.id, process.id, parent_of(process));
  const auto put_ids = [&](std::string_view name, const Credentials::Ids& ids) {
    format(out, "{}:\t{}\t{}\t{}\t{}\n", name, ids.real, ids.effective, ids.saved, ids.effective);
  };
  put_ids("Uid", process.credentials.user);
  put_ids("Gid", process.credentials.group);
  format(out, "FDSize:\t{}\nGroups:\t", process.files ? process.files->size() : 0);
  for (const u32 group : process.credentials.groups) format(out, "{} ", group);
  format(out, "\nVmSize:\t{:8} kB\nVmRSS:\t{:8} kB\n", summary.size >> 10, summary.resident >> 10);
  format(out, "Threads:\t{}\nSigPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
         process.threads.size(), summary.pending, summary.mask, ignored, caught);
}

void write_cmdline(TextSink& out, const Process& process) {
  out.put(std::string_view(process.arguments.data(), process.arguments.size()));
}

void write_environ(TextSink& out, const Process& process) {
  out.put(std::string_view(process.environment.data(), process.environment.size()));
}

void write_limits(TextSink& out, const Process& process) {
  // As fs/proc/base.c prints them.
  static constexpr struct {
    std::string_view name, unit;
  } rows[Limits::count] = {
      {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
      {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
      {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
      {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
      {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
      {"Max realtime timeout", "us"}};
  const auto put_column = [&](std::string_view text, std::size_t width) {
    out.put(text);
    for (std::size_t i = text.size(); i < width; ++i) out.put(' ');
    out.put(' ');
  };
  const auto put_number = [&](u64 value) {
    char buffer[24];
    BufferSink text(buffer);
    if (value == Limits::none) {
      text.put("unlimited");
    } else {
      format(text, "{}", value);
    }
    put_column(text.text(), 20);
  };
  put_column("Limit", 25);
  put_column("Soft Limit", 20);
  put_column("Hard Limit", 20);
  out.put("Units     \n");
  for (std::size_t i = 0; i < Limits::count; ++i) {
    put_column(rows[i].name, 25);
    put_number(process.limits.of[i].now);
    put_number(process.limits.of[i].most);
    format(out, "{}\n", rows[i].unit);
  }
}

void write_comm(TextSink& out, const Process& process) { format(out, "{}\n", summarise(process).name); }

void write_maps(TextSink& out, const Process& process) {
  if (!process.space) return;
  for (const Area& area : process.space->areas()) {
    format(out, "{:08x}-{:08x} {}{}{}{} {:08x} 00:01 {}", area.begin, area.end,
           (area.protection & protection::read) != 0 ? 'r' : '-',
           (area.protection & protection::write) != 0 ? 'w' : '-',
           (area.protection & protection::execute) != 0 ? 'x' : '-', area.shared ? 's' : 'p',
           area.node ? area.node_offset : 0, area.node ? area.node->number : 0);
    const bool is_stack = area.end == AddressSpace::stack_top;
    if (area.node == process.program && area.node) {
      format(out, " {}", std::string_view(process.program_path.data(), process.program_path.size()));
    } else if (is_stack) {
      out.put(" [stack]");
    } else if (process.space->is_heap(area)) {
      out.put(" [heap]");
    }
    out.put('\n');
  }
}

void write_process_mounts(TextSink& out, const Process&) {
  for (const SystemEntry& entry : system_entries()) {
    if (entry.name == "mounts") entry.write(out);
  }
}

constexpr ProcessEntry entries[] = {
    {"cmdline", write_cmdline}, {"comm", write_comm},   {"environ", write_environ, 0400},
    {"limits", write_limits},   {"maps", write_maps},   {"mounts", write_process_mounts},
    {"stat", write_stat},       {"statm", write_statm}, {"status", write_status}};

}  // namespace

std::span<const ProcessEntry> process_entries() { return entries; }

}  // namespace pulse
