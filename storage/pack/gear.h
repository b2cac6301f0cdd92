// The table of the gear hash: 256 numbers that look random, one a byte value. Frozen: chunks that
// are stored were cut by it, and what is cut otherwise shares nothing with them.
//
// Rule: the first 256 outputs of SplitMix64 from kGearSeed, the first 8 bytes of "varve: gear" as
// a big-endian number.
#ifndef VARVE_STORAGE_PACK_GEAR_H_
#define VARVE_STORAGE_PACK_GEAR_H_

#include <array>
#include <cstdint>

namespace varve {

inline constexpr uint64_t kGearSeed = 0x76617276653a2067;

constexpr std::array<uint64_t, 256> MakeGearTable() {
  std::array<uint64_t, 256> table = {};
  uint64_t state = kGearSeed;
  for (uint64_t& entry : table) {
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    entry = mixed ^ (mixed >> 31);
  }
  return table;
}

inline constexpr std::array<uint64_t, 256> kGear = MakeGearTable();

}  // namespace varve

#endif  // VARVE_STORAGE_PACK_GEAR_H_
