#include "kernel/syscalls/path_arguments.hpp"

#include "kernel/core/user_memory.hpp"

namespace pulse {

Result<Ref<Node>> directory_of(Call& call, u64 descriptor) {
  if (static_cast<i32>(descriptor) == at_current_directory) return call.process().location->current;
  const auto file = call.process().files->get(descriptor);
  if (!file) return fail(file.error());
  if (!(*file)->node) return fail(Errno::NotDirectory);
  return (*file)->node;
}

Result<Ref<Node>> node_at(Call& call, u64 descriptor, u64 path, LastLink last) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  return resolve_from(*call.process().location, *directory, text->view(), last);
}

}  // namespace pulse
