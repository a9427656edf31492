#include "kernel/core/program.hpp"

#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/floating_point.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/elf.hpp"
#include "kernel/core/process_switch.hpp"
#include "kernel/core/random.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/memory/kernel_buffer.hpp"
#include "kernel/memory/page_allocator.hpp"

namespace pulse {

namespace {

constexpr u64 stack_top = AddressSpace::stack_top;
constexpr int most_scripts = 4;
constexpr std::size_t script_line_bytes = 256;
constexpr u64 first_flags = 0x202;

/// The auxiliary vector's keys.
enum AuxiliaryKey : u64 {
  at_end = 0,
  at_program_headers = 3,
  at_header_size = 4,
  at_header_count = 5,
  at_page_size = 6,
  at_base = 7,
  at_flags = 8,
  at_entry = 9,
  at_user = 11,
  at_effective_user = 12,
  at_group = 13,
  at_effective_group = 14,
  at_ticks = 17,
  at_secure = 23,
  at_random = 25,
  at_file_name = 31
};

std::size_t bytes_of(const std::vector<std::vector<char>>& texts) {
  std::size_t sum = 0;
  for (const auto& text : texts) sum += text.size() + sizeof(u64);
  return sum;
}

std::vector<char> text_of(std::string_view text) {
  std::vector<char> bytes(text.begin(), text.end());
  bytes.push_back(0);
  return bytes;
}

/// Writes the first stack in the running address space.
class StackBuilder {
 public:
  u64 push(const void* bytes, std::size_t size) {
    pointer_ -= size;
    good_ = good_ && copy_to_user(pointer_, bytes, size).has_value();
    return pointer_;
  }
  u64 push_text(const std::vector<char>& text) { return push(text.data(), text.size()); }
  void push_words(const std::vector<u64>& words) {
    pointer_ = (pointer_ - words.size() * sizeof(u64)) & ~u64{15};
    good_ = good_ && copy_to_user(pointer_, words.data(), words.size() * sizeof(u64)).has_value();
  }
  [[nodiscard]] u64 pointer() const { return pointer_; }
  [[nodiscard]] bool good() const { return good_; }

 private:
  u64 pointer_ = stack_top;
  bool good_ = true;
};

Result<u64> build_stack(const LoadedProgram& program, std::string_view path, const ProgramText& text,
                        const Credentials& who) {
  StackBuilder stack;
  const u64 name = stack.push_text(text_of(path));
  u64 random[2] = {random_number(), random_number()};
  const u64 random_at = stack.push(random, sizeof random);
  std::vector<u64> words{text.arguments.size()};
  for (const auto& argument : text.arguments) words.push_back(stack.push_text(argument));
  words.push_back(0);
  for (const auto& variable : text.environment) words.push_back(stack.push_text(variable));
  words.push_back(0);
  constexpr u64 program_header_bytes = 56;
  const std::pair<u64, u64> vector[] = {
      {at_program_headers, program.program_headers},
      {at_header_size, program_header_bytes},
      {at_header_count, program.program_header_count},
      {at_page_size, page_bytes},
      {at_base, 0},
      {at_flags, 0},
      {at_entry, program.entry},
      {at_user, who.user.real},
      {at_effective_user, who.user.effective},
      {at_group, who.group.real},
      {at_effective_group, who.group.effective},
      {at_ticks, 100},
      {at_secure, who.user.real != who.user.effective || who.group.real != who.group.effective ? 1 : 0},
      {at_random, random_at},
      {at_file_name, name},
      {at_end, 0}};
  for (const auto& [key, value] : vector) {
    words.push_back(key);
    words.push_back(value);
  }
  stack.push_words(words);
  if (!stack.good()) return fail(Errno::NoMemory);
  return stack.pointer();
}

/// "#!": the interpreter's path and its one argument go before the script's own. False if it is no script.
Result<bool> expand_script(Node& node, std::string_view path, std::vector<char>& interpreter, ProgramText& text) {
  char line[script_line_bytes];
  KernelBuffer buffer(line, sizeof line);
  const auto count = node.read_at(0, buffer);
  if (!count) return fail(count.error());
  std::string_view first(line, *count);
  if (!first.starts_with("#!")) return false;
  const std::size_t end = first.find('\n');
  if (end == std::string_view::npos) return fail(Errno::NotExecutable);
  first = first.substr(2, end - 2);
  const auto trim = [&first] {
    while (!first.empty() && (first.front() == ' ' || first.front() == '\t')) first.remove_prefix(1);
    while (!first.empty() && (first.back() == ' ' || first.back() == '\t')) first.remove_suffix(1);
  };
  trim();
  const std::size_t name_end = std::min(first.find(' '), first.size());
  if (name_end == 0) return fail(Errno::NotExecutable);
  interpreter = text_of(first.substr(0, name_end));
  std::vector<std::vector<char>> arguments{interpreter};
  first.remove_prefix(name_end);
  trim();
  if (!first.empty()) arguments.push_back(text_of(first));
  arguments.push_back(text_of(path));
  for (std::size_t i = 1; i < text.arguments.size(); ++i) arguments.push_back(std::move(text.arguments[i]));
  text.arguments = std::move(arguments);
  return true;
}

/// Follows scripts to a program that can be loaded.
Result<Ref<Node>> find_program(Location& location, std::vector<char>& path, ProgramText& text) {
  for (int depth = 0; depth <= most_scripts; ++depth) {
    const std::string_view name(path.data(), path.size() - 1);
    const auto node = resolve(location, name);
    if (!node) return fail(node.error());
    if (!(*node)->is(node_mode::regular)) return fail(Errno::AccessDenied);
    if (!is_allowed(**node, permission::execute)) return fail(Errno::AccessDenied);
    std::vector<char> interpreter;
    const auto script = expand_script(**node, name, interpreter, text);
    if (!script) return fail(script.error());
    if (!*script) return *node;
    path = std::move(interpreter);
  }
  return fail(Errno::Loop);
}

/// For /proc/PID/exe: what the last name really is (/bin/sh is /bin/busybox).
std::vector<char> without_links(const Location& location, const std::vector<char>& path) {
  constexpr int most = 8;
  std::vector<char> result(path.begin(), path.end() - 1);
  for (int i = 0; i < most; ++i) {
    const std::string_view text(result.data(), result.size());
    const auto node = resolve(location, text, LastLink::Keep);
    if (!node || !(*node)->is(node_mode::link)) break;
    const std::string_view target = (*node)->target();
    if (!target.starts_with('/')) result.resize(text.rfind('/') + 1);
    if (target.starts_with('/')) result.clear();
    result.insert(result.end(), target.begin(), target.end());
  }
  return result;
}

/// Whom the program runs for: the set-user-id and set-group-id bits say (execve(2)).
Credentials credentials_for(const Node& program, Credentials who) {
  constexpr u32 set_user = 04000, set_group = 02000, group_execute = 010;
  if ((program.mode & set_user) != 0) who.user.effective = program.user;
  if ((program.mode & (set_group | group_execute)) == (set_group | group_execute)) who.group.effective = program.group;
  who.user.saved = who.user.effective;
  who.group.saved = who.group.effective;
  return who;
}

std::vector<char> joined(const std::vector<std::vector<char>>& texts) {
  std::vector<char> all;
  for (const auto& text : texts) all.insert(all.end(), text.begin(), text.end());
  return all;
}

void name_thread(Thread& thread, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  rename_thread(thread, path);
}

}  // namespace

Result<void> execute(Frame& frame, std::string_view path, ProgramText text) {
  return execute_in(current_process(), current_thread(), frame, path, std::move(text));
}

Result<void> execute_in(Process& process, Thread& thread, Frame& frame, std::string_view path, ProgramText text) {
  if (bytes_of(text.arguments) + bytes_of(text.environment) > most_program_text) return fail(Errno::TooLongArguments);
  std::vector<char> program_path = text_of(path);
  const auto node = find_program(*process.location, program_path, text);
  if (!node) return fail(node.error());
  const auto made = AddressSpace::make();
  if (!made) return fail(made.error());
  const Ref<AddressSpace>& space = *made;
  const auto program = load_program(*space, *node);
  if (!program) return fail(program.error());
  space->start_break(program->end);
  const u64 stack_limit = process.limits.now(Limited::Stack);
  const u64 stack_size = AddressSpace::stack_size_for(stack_limit);
  const auto stack = space->map({.address = stack_top - stack_size,
                                 .size = stack_size,
                                 .protection = protection::read | protection::write,
                                 .flags = map_flag::is_private | map_flag::fixed});
  if (!stack) return fail(stack.error());
  space->most_stack = stack_limit;
  space->most_bytes = process.limits.now(Limited::Space);
  Credentials who = credentials_for(**node, process.credentials);

  // The stack is written through the new tables, as the program will see it.
  Thread& running = current_thread();
  const Ref<AddressSpace> before = process.space;
  Process* const running_process = running.process;
  process.space = space;
  running.process = &process;
  use_address_space(space.get());
  const auto pointer = build_stack(*program, path, text, who);
  running.process = running_process;
  process.space = before;
  use_address_space(before.get());
  if (!pointer) return fail(pointer.error());
  if (program->entry >= USER_END) return fail(Errno::NotExecutable);

  // Nothing fails any more.
  if (!end_other_threads(process, thread)) return fail(Errno::TryAgain);
  process.space = space;
  if (&thread == &running) use_address_space(space.get());
  return_loan(process);
  process.credentials = std::move(who);
  process.files->close_for_exec();
  if (process.actions->owners() > 1) process.actions = new SignalActions;
  for (SignalAction& action : process.actions->of) {
    if (action.handler != vitrine::abi::ignore_handler) action = {};
  }
  if (!(process.program == *node)) process.program_path = without_links(*process.location, program_path);
  process.program = *node;
  process.arguments = joined(text.arguments);
  process.environment = joined(text.environment);
  thread.fs_base = 0;
  thread.clear_child_tid = 0;
  thread.signal_stack = {};
  reset_floating_point(*thread.floating_point);
  if (&thread == &running) {
    load_floating_point(*thread.floating_point);
    write_msr(msr::fs_base, 0);
  }
  name_thread(thread, path);
  frame = Frame{};
  frame.rip = program->entry;
  frame.rsp = *pointer;
  frame.cs = USER_CODE;
  frame.ss = USER_DATA;
  frame.flags = first_flags;
  return {};
}

}  // namespace pulse
