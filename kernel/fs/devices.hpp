// Device nodes: what major and minor number lead to.
#pragma once

#include "kernel/fs/node.hpp"

namespace pulse {

/// Opens what a device node names. NoDevice6 if nothing is there.
[[nodiscard]] Result<Ref<File>> open_device(Node& node, u32 flags);

using DeviceOpener = Result<Ref<File>> (*)(Node& node, u32 flags);
/// A driver's own: device number as Node::device.
void register_device(u32 device, DeviceOpener opener);
[[nodiscard]] constexpr u32 device_number(u32 major, u32 minor) { return major << 8 | minor; }

/// /dev/zero: its mappings are pages of zeros.
inline constexpr u32 zero_device = device_number(1, 5);

/// null, zero, full, random, urandom; registered once at boot.
void register_memory_devices();

}  // namespace pulse
