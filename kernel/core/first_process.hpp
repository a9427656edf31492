// The root file system and the first program.
#pragma once

namespace pulse {

/// Unpacks the initramfs and starts init= (/init unless it says otherwise). Panics if there is none.
void start_user_space();

}  // namespace pulse
