// RCP and RSQRT: approximations whose bits the manual leaves open (relative error at most 1.5 * 2^-12; SDM vol. 2).
//
// Vendors, and even generations of one vendor, differ. So that a run is the same on any host, ours are made of
// integers: the exact result rounded to 12 fraction bits (relative error at most 2^-13).
#pragma once

#include "base/types.hpp"

namespace vitrine {

/// 1/x on the bits of a single. Denormals count as zeroes, tiny results are zeroes, NaNs become quiet.
[[nodiscard]] u32 reciprocal(u32 x);
/// 1/sqrt(x), likewise; a negative number gives the indefinite NaN.
[[nodiscard]] u32 reciprocal_root(u32 x);

}  // namespace vitrine
