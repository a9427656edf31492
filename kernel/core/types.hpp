// The kernel's own names for base/types.hpp.
#pragma once

#include "base/bits.hpp"
#include "base/types.hpp"

namespace pulse {

using vitrine::bit;
using vitrine::bits;
using vitrine::i16;
using vitrine::i32;
using vitrine::i64;
using vitrine::i8;
using vitrine::u16;
using vitrine::u32;
using vitrine::u64;
using vitrine::u8;

}  // namespace pulse
