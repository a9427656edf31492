// How a program shows tools/path_meter where a path begins and ends: calls of path_mark(), which does nothing. The
// meter watches for the first instruction of it, so that the counting costs the program no instruction but the call.
//
// RDI: the path's name, text that ends with a zero byte. RSI: a Mark. RDX: path_mark_magic, since other programs may
// have other code at the same address.
#pragma once

#include "base/types.hpp"

namespace vitrine::abi {

inline constexpr u64 path_mark_magic = 0x6B72'614D'6874'6150;  // "PathMark"

enum class Mark : u64 {
  Begin = 1,    ///< the path begins behind the call
  End = 2,      ///< the path that began last ends here
  Ticks = 3,    ///< until End, every interrupt of this program is a path of this name
  Key = 4,      ///< press a key soon; the path begins with its interrupt
  Nothing = 5,  ///< Begin, of a path that is taken off all others: what the marks themselves cost
  Switch = 6,   ///< Begin, of a path that ends in another address space; others are not counted
  Done = 7,     ///< all is measured
};

}  // namespace vitrine::abi
