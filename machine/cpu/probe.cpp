// Where decoded code calls the probe, and what a probe may ask.
#include "machine/cpu/probe.hpp"

#include <algorithm>
#include <utility>

#include "machine/cpu/access.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// Code is decoded once for all linear addresses that show it: a block knows its place in the page only.
bool may_be_code_point(const Cpu& cpu, u64 linear) {
  return std::ranges::any_of(cpu.code_points, [&](u64 point) { return ((point ^ linear) & 0xFFF) == 0; });
}

enum class Wrap : u8 { CodePoint, GsUse, Both };

/// Stands in front of an operation of a block with `inner` handlers.
template <Wrap W>
[[clang::preserve_none]] void call_probe(Cpu& cpu, const Operation* operation) {
  if (W != Wrap::GsUse && cpu.probe != nullptr) {
    const u64 linear = cpu.rip_of(*operation);
    if (std::ranges::binary_search(cpu.code_points, linear)) {
      cpu.sync(operation);
      cpu.probe->code_point(cpu, linear);
    }
  }
  if (W != Wrap::CodePoint && cpu.probe != nullptr && cpu.probe->wants_gs_use) {
    cpu.sync(operation);
    cpu.probe->gs_used(cpu, cpu.rip_of(*operation));
  }
  const Handler inner = cpu.block->inner[operation - cpu.block->operations];
  [[clang::musttail]] return inner(cpu, operation);
}

}  // namespace

Handler probing_handler(const Cpu& cpu, u64 linear, bool uses_gs, Handler handler) {
  if (may_be_code_point(cpu, linear)) return uses_gs ? call_probe<Wrap::Both> : call_probe<Wrap::CodePoint>;
  return uses_gs ? call_probe<Wrap::GsUse> : handler;
}

void tell_gs_changed(Cpu& cpu, const Operation& operation, CpuProbe::GsChange change) {
  cpu.sync(&operation);
  cpu.probe->gs_changed(cpu, cpu.rip_of(operation), change);
}

void tell_table_loaded(Cpu& cpu, const Operation& operation, ProbedTable table) {
  cpu.sync(&operation);
  cpu.probe->table_loaded(cpu, table, cpu.rip_of(operation));
}

void tell_stack_switched(Cpu& cpu, const Operation& operation, u64 from) {
  cpu.sync(&operation);
  cpu.probe->stack_switched(cpu, cpu.rip_of(operation), from, cpu.state.gpr[rsp]);
}

void Cpu::set_probe(CpuProbe* watcher) {
  if (watcher == probe) return;
  probe = watcher;
  blocks_outdated = true;
  // The running block goes on to its end; links out of it lead to the run loop.
  ++generations[code_generation];
  ++generations[fetch_generation];
}

void Cpu::set_code_points(std::vector<u64> addresses) {
  code_points = std::move(addresses);
  blocks_outdated = true;
  ++generations[code_generation];
  ++generations[fetch_generation];
}

void Cpu::drop_outdated_blocks() {
  blocks_outdated = false;
  link_slot = nullptr;
  blocks.clear();
  ++generations[code_generation];
  ++generations[fetch_generation];
}

bool peek_memory(const Cpu& cpu, u64 linear, std::span<u8> into) {
  for (std::size_t done = 0; done < into.size();) {
    const u64 at = linear + done;
    u64 physical = 0;
    if (!cpu.peek_translate(at, physical)) return false;
    const MemoryBus::Page page = cpu.memory.page(PhysicalAddress(physical));
    if (page.host == nullptr) return false;
    const std::size_t size = std::min<std::size_t>(into.size() - done, 4096 - (physical & 0xFFF));
    std::copy_n(page.host + (physical & 0xFFF), size, into.data() + done);
    done += size;
  }
  return true;
}

}  // namespace vitrine
