// Files of /proc itself.
#include <cpuid.h>

#include <algorithm>
#include <cstring>

#include "kernel/arch/x86_64/exception_table.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/tsc.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/local_apic.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/procfs.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

constexpr unsigned exceptions_end = 32;
constexpr u64 second = 1'000'000'000;

template <class Value>
u64 sum_over_cpus(Value value) {
  u64 sum = 0;
  for (u32 i = 0; i < cpu_count(); ++i) sum += value(cpu_at(i));
  return sum;
}

/// Linux's unit for times in /proc: hundredths of a second.
u64 hundredths(u64 ticks) { return ticks * nanoseconds_per_tick() / 10'000'000; }

void put_counts(TextSink& out, unsigned vector) {
  for (u32 i = 0; i < cpu_count(); ++i) format(out, " {:10}", cpu_at(i).vector_counts[vector]);
}

void put_line_counts(TextSink& out, InterruptManager& manager, u8 line) {
  if (manager.chain(line) == nullptr && manager.counts(line).delivered == 0) return;
  const u8 vector = manager.controller()->vector_of(line);
  format(out, "{:3}:", line);
  put_counts(out, vector);
  format(out, "  {} vector {:#x} ", manager.controller()->name(), vector);
  const char* separator = " ";
  for (const InterruptHandler* handler = manager.chain(line); handler != nullptr; handler = handler->next) {
    format(out, "{}{}", separator, handler->name);
    separator = ", ";
  }
  if (manager.counts(line).stopped) out.put(" (stopped: nobody claimed its storm)");
  out.put('\n');
}

struct LocalVector {
  u8 vector;
  std::string_view mnemonic, name;
};
// The mnemonics are Linux's, where it has one.
constexpr LocalVector local_vectors[] = {{0x80, "INT", "system call"},
                                         {vector::timer, "LOC", "local timer"},
                                         {vector::reschedule, "RES", "reschedule"},
                                         {vector::flush_pages, "TLB", "page flush"},
                                         {vector::stop, "STP", "stop"},
                                         {vector::thermal, "TRM", "thermal event"},
                                         {vector::performance, "PMI", "performance counter"},
                                         {vector::error, "APE", "local APIC error"},
                                         {vector::spurious, "SPV", "spurious, local APIC"}};
const LocalVector* local_vector(unsigned number) {
  const auto* const found = std::ranges::find(local_vectors, number, &LocalVector::vector);
  return found != std::end(local_vectors) ? found : nullptr;
}
std::string_view local_mnemonic(unsigned number) {
  return local_vector(number) != nullptr ? local_vector(number)->mnemonic : "VEC";
}
std::string_view local_name(unsigned number) {
  return local_vector(number) != nullptr ? local_vector(number)->name : "nobody's";
}

std::string_view mnemonic_of_exception(unsigned number) {
  const std::string_view mnemonic = exception_of(number).mnemonic;
  return mnemonic.empty() ? "EXC" : mnemonic;
}

/// As Linux: a row for each line that somebody uses; then what else was delivered, by vector.
void write_interrupts(TextSink& out) {
  InterruptManager& manager = kernel().interrupts;
  out.put("    ");
  for (u32 i = 0; i < cpu_count(); ++i) format(out, "       CPU{}", i);
  out.put('\n');
  u64 spurious = 0;
  u64 unclaimed = 0;
  for (u8 line = 0; line < InterruptManager::lines; ++line) {
    put_line_counts(out, manager, line);
    spurious += manager.counts(line).spurious;
    unclaimed += manager.counts(line).not_mine;
  }
  for (unsigned vector = 0; vector < 256; ++vector) {
    const bool is_line = manager.line_of(vector) != InterruptManager::no_line;
    if (is_line || sum_over_cpus([&](const PerCpu& cpu) { return cpu.vector_counts[vector]; }) == 0) continue;
    format(out, "{}:", vector < exceptions_end ? mnemonic_of_exception(vector) : local_mnemonic(vector));
    put_counts(out, vector);
    format(out, "  CPU vector {:#x}  {}\n", vector,
           vector < exceptions_end ? exception_of(vector).name : local_name(vector));
  }
  format(out, "SPU: {:10}  spurious\nERR: {:10}  claimed by nobody\n", spurious, unclaimed);
}

void write_stat(TextSink& out) {
  const auto put_times = [&](u64 user, u64 system, u64 idle) {
    format(out, " {} 0 {} {} 0 0 0 0 0 0\n", hundredths(user), hundredths(system), hundredths(idle));
  };
  out.put("cpu ");
  put_times(sum_over_cpus([](const PerCpu& cpu) { return cpu.user_ticks; }),
            sum_over_cpus([](const PerCpu& cpu) { return cpu.system_ticks; }),
            sum_over_cpus([](const PerCpu& cpu) { return cpu.idle_ticks; }));
  for (u32 i = 0; i < cpu_count(); ++i) {
    format(out, "cpu{}", i);
    put_times(cpu_at(i).user_ticks, cpu_at(i).system_ticks, cpu_at(i).idle_ticks);
  }
  const u64 interrupts = sum_over_cpus([](const PerCpu& cpu) {
    u64 sum = 0;
    for (unsigned vector = exceptions_end; vector < 256; ++vector) sum += cpu.vector_counts[vector];
    return sum;
  });
  format(out, "intr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n", interrupts,
         sum_over_cpus([](const PerCpu& cpu) { return cpu.switches; }), boot_wall_nanoseconds() / second,
         newest_thread(), runnable_threads());
}

void put_seconds(TextSink& out, u64 nanoseconds) {
  format(out, "{}.{:02}", nanoseconds / second, nanoseconds % second / 10'000'000);
}

void write_uptime(TextSink& out) {
  put_seconds(out, nanoseconds_since_boot());
  out.put(' ');
  put_seconds(out, sum_over_cpus([](const PerCpu& cpu) { return cpu.idle_ticks; }) * nanoseconds_per_tick());
  out.put('\n');
}

void write_loadavg(TextSink& out) {
  for (const u64 load : load_averages()) {
    const u64 rounded = load + load_unit / 200;
    format(out, "{}.{:02} ", rounded / load_unit, rounded % load_unit * 100 / load_unit);
  }
  u64 threads = 0;
  for (const Process* process : all_processes()) threads += process->threads.size();
  format(out, "{}/{} {}\n", runnable_threads(), threads, newest_thread());
}

void write_meminfo(TextSink& out) {
  const MemoryUse use = memory_use();
  const auto put = [&](std::string_view name, u64 bytes) {
    char field[24];
    BufferSink text(field);
    format(text, "{}:", name);
    format(out, "{:16}{:8} kB\n", text.text(), bytes >> 10);
  };
  put("MemTotal", use.all_pages * page_bytes);
  put("MemFree", use.free_pages * page_bytes);
  put("MemAvailable", use.free_pages * page_bytes);
  put("Buffers", 0);
  put("Cached", 0);
  put("SwapTotal", 0);
  put("SwapFree", 0);
  put("Shmem", 0);
  put("Slab", use.heap_bytes);
  put("SReclaimable", 0);
}

struct CpuName {
  char text[49] = {};
};

/// SDM vol. 2, CPUID leaf 80000002h.
CpuName cpu_name() {
  CpuName name;
  u32 words[12] = {};
  constexpr u32 most = 0x80000000, first = 0x80000002;
  u32 a, b, c, d;
  __cpuid(most, a, b, c, d);
  for (u32 i = 0; a >= first + 2 && i < 3; ++i) {
    __cpuid(first + i, words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]);
  }
  std::memcpy(name.text, words, sizeof words);
  return name;
}

void write_cpuinfo(TextSink& out) {
  u32 a, b, c, d;
  u32 vendor[3];
  __cpuid(0, a, vendor[0], vendor[2], vendor[1]);
  __cpuid(1, a, b, c, d);
  const CpuName name = cpu_name();
  for (u32 i = 0; i < cpu_count(); ++i) {
    format(out, "processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\n", i,
           std::string_view(reinterpret_cast<const char*>(vendor), sizeof vendor), a >> 8 & 15,
           (a >> 4 & 15) | (a >> 12 & 0xF0), static_cast<const char*>(name.text));
    format(out, "stepping\t: {}\ncpu MHz\t\t: {}.{:03}\n\n", a & 15, tsc_kilohertz() / 1000, tsc_kilohertz() % 1000);
  }
}

void write_mounts(TextSink& out) {
  out.put("rootfs / tmpfs rw 0 0\n");
  for (std::size_t i = 0;; ++i) {
    const auto mounted = mount_at(i);
    if (!mounted) return;
    const FileSystem* const system = mounted->upper->file_system();
    const std::string_view access = system != nullptr && system->read_only() ? "ro" : "rw";
    format(out, "{} {} {} {} 0 0\n", mounted->text.source, mounted->text.path, mounted->text.type, access);
  }
}

/// The lines that are in the ring. On Linux who reads it waits for the next one; here it ends.
void write_kmsg(TextSink& out) {
  const LogRange log = log_range();
  for (u64 at = log.begin; at < log.end; ++at) out.put(log_byte(at));
}

void write_version(TextSink& out) { out.put("Linux version 6.1.0-pulse (Pulse, Vitrine's kernel)\n"); }
void write_cmdline(TextSink& out) { format(out, "{}\n", kernel().parameters.line()); }
void write_filesystems(TextSink& out) { out.put("nodev\tproc\nnodev\tsysfs\nnodev\tdevtmpfs\nnodev\ttmpfs\n\text2\n"); }

constexpr SystemEntry entries[] = {
    {"cmdline", write_cmdline},       {"cpuinfo", write_cpuinfo}, {"filesystems", write_filesystems},
    {"interrupts", write_interrupts}, {"kmsg", write_kmsg, 0400}, {"loadavg", write_loadavg},
    {"meminfo", write_meminfo},       {"mounts", write_mounts},   {"stat", write_stat},
    {"uptime", write_uptime},         {"version", write_version}};

}  // namespace

std::span<const SystemEntry> system_entries() { return entries; }

}  // namespace pulse
