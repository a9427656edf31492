#include "observe/linux/linux_threads.hpp"

#include <algorithm>
#include <utility>

#include "machine/cpu/cpu.hpp"

namespace vitrine {

namespace {

/// An integer argument of a C function, at its first instruction (System V ABI; -mregparm=3 on i386).
u64 argument(const Cpu& cpu, unsigned number) {
  constexpr RegisterSlot wide[] = {rdi, rsi, rdx};
  constexpr RegisterSlot narrow[] = {rax, rdx, rcx};
  const u64 value = cpu.state.gpr[cpu.mode.is64() ? wide[number] : narrow[number]];
  return cpu.mode.is64() ? value : static_cast<u32>(value);
}

constexpr std::size_t name_size = 16;
constexpr u64 first_idle_number = u64{1} << 32;

}  // namespace

void LinuxThreads::table_loaded(const Cpu& cpu, ProbedTable table, u64 /*instruction*/) {
  if (kernel_ || table != ProbedTable::Idt || searches_ == most_searches) return;
  if (!cpu.state.paging()) return;  // a boot stage: the kernel turns paging on before it loads its own
  kernel_ = find_linux_kernel(cpu);
  ++searches_;
  if (!kernel_) return;
  if (on_kernel) on_kernel(*kernel_);
  if (kernel_->tasks) watch(cpu);
}

void LinuxThreads::watch(const Cpu& /*cpu*/) {
  const KernelSymbols& symbols = kernel_->symbols;
  switch_to_ = symbols.address_of("__switch_to");
  if (switch_to_ == 0) return;
  wake_ = symbols.address_of("ttwu_do_activate");
  wake_argument_ = 1;  // (rq, task, flags, ...)
  if (wake_ == 0) {
    wake_ = symbols.address_of("try_to_wake_up");
    wake_argument_ = 0;
  }
  wake_new_ = symbols.address_of("wake_up_new_task");
  std::vector<u64> points = {switch_to_, wake_, wake_new_};
  std::erase(points, u64{0});
  std::ranges::sort(points);
  set_code_points_(std::move(points));
}

void LinuxThreads::delivered(const Cpu& /*cpu*/, const ProbedDelivery& delivery) {
  if (switch_to_ == 0) return;
  std::vector<Entry>& stack = here().stack;
  if (delivery.before.privilege == 3) stack.clear();  // nothing is below the first entry from user mode
  if (stack.size() == deepest_nesting) stack.erase(stack.begin());
  stack.push_back({delivery.request, delivery.kind});
}

void LinuxThreads::returned(const Cpu& cpu, const ProbedReturn& iret) {
  std::vector<Entry>& stack = here().stack;
  if (cpu.cpl == 3) return stack.clear();
  const auto left = std::ranges::find(stack, iret.request, &Entry::request);
  if (iret.request != 0) stack.erase(left, stack.end());
}

void LinuxThreads::left_kernel(const Cpu& /*cpu*/, u64 /*instruction*/) { here().stack.clear(); }

void LinuxThreads::code_point(const Cpu& cpu, u64 address) {
  if (switch_to_ == 0) return;
  if (address == switch_to_) {
    switched(cpu, address, argument(cpu, 1));
  } else if (address == wake_) {
    woken(cpu, address, argument(cpu, wake_argument_));
  } else if (address == wake_new_) {
    woken(cpu, address, argument(cpu, 0));
  }
}

void LinuxThreads::switched(const Cpu& cpu, u64 address, u64 task) {
  u64 number = 0;
  if (!know(cpu, task, number)) return;
  // A handler that preempted the thread is left only when the thread goes on.
  Running& now = here();
  if (const auto before = threads_.find(now.thread); before != threads_.end()) before->second.stack.swap(now.stack);
  now.stack.clear();
  Thread& next = threads_[number];
  now.stack.swap(next.stack);
  now.thread = number;
  append(cpu,
         {.address = address, .other = number, .since = std::exchange(next.woken, 0), .kind = RecordKind::ThreadRuns});
}

void LinuxThreads::woken(const Cpu& cpu, u64 address, u64 task) {
  u64 number = 0;
  if (!know(cpu, task, number)) return;
  Thread& thread = threads_[number];
  if (thread.woken == 0) thread.woken = cpu.context.clock.now().value;
  append(cpu, {.id = waking_request(), .address = address, .other = number, .kind = RecordKind::ThreadWoken});
}

u64 LinuxThreads::waking_request() {
  const std::vector<Entry>& stack = here().stack;
  // A fault inside an interrupt's handler is part of that handler's work.
  for (auto entry = stack.rbegin(); entry != stack.rend(); ++entry) {
    if (entry->kind == DeliveryKind::External || entry->kind == DeliveryKind::Nmi) return entry->request;
  }
  return stack.empty() ? 0 : stack.back().request;
}

bool LinuxThreads::know(const Cpu& cpu, u64 task, u64& number) {
  u8 raw[4] = {};
  u8 name[name_size] = {};
  if (!peek_memory(cpu, task + kernel_->tasks->number, raw) || !peek_memory(cpu, task + kernel_->tasks->name, name)) {
    return false;
  }
  number = raw[0] | u64{raw[1]} << 8 | u64{raw[2]} << 16 | u64{raw[3]} << 24;
  if (const u8 here = ledger_->context.cpu; number == 0 && here != 0) number = first_idle_number + here;
  if (threads_.size() >= most_threads && !threads_.contains(number)) threads_.clear();
  Thread& thread = threads_[number];
  const std::string_view found(reinterpret_cast<const char*>(name), name_size);
  const std::string_view shown = found.substr(0, found.find('\0'));
  if (thread.name == shown) return true;
  thread.name = shown;
  Record named{.other = number, .kind = RecordKind::ThreadNamed};
  for (unsigned i = 0; i < shown.size(); ++i) {
    u64& word = i < 8 ? named.address : named.frame;
    word |= u64{name[i]} << (8 * (i % 8));
  }
  append(cpu, named);
  return true;
}

void LinuxThreads::append(const Cpu& cpu, const Record& record) {
  Record complete = record;
  complete.source = cpu.context.source.value;
  complete.privilege = cpu.cpl;
  ledger_->append(complete);
}

}  // namespace vitrine
