// Levels 1 and 2: a table of single positions, two looks a step.
#include "storage/deflate/klauspost/hash_table.h"
#include "storage/deflate/klauspost/levels.h"
#include "storage/deflate/klauspost/parse.h"

namespace varve::klauspost {
namespace {

template <int kLevel>
class SingleEntryFinder final : public MatchFinder {
 public:
  void Find(const Block& block, Tokens& tokens) override {
    if (block.end - block.begin < kMinBlockBytes) return;
    Parse parse(block, tokens);
    while (Search(parse)) {
      do {
        const uint32_t length = parse.Take(parse.FullLength(parse.at, parse.distance));
        if (parse.at >= parse.limit) return parse.Finish();
        if constexpr (kLevel == 2) InsertMatched(parse, length);
      } while (FollowOn(parse));
    }
    parse.Finish();
  }

  void Forget(uint32_t position) override { table_.Forget(position); }

  void AppendState(const Block& block, std::string& state) const override {
    AppendLivePositions(
        block, [&](uint32_t i) { return table_[Bucket(block, i)]; }, state);
    AppendLivePositions(
        block, [&](uint32_t i) { return table_[OddBucket(block, i)]; }, state);
  }

  bool ReadState(const Block& block, ByteReader& state) override {
    return ReadLivePositions(
               block, [&](uint32_t i) -> uint32_t& { return table_[Bucket(block, i)]; }, state) &&
           ReadLivePositions(
               block, [&](uint32_t i) -> uint32_t& { return table_[OddBucket(block, i)]; }, state);
  }

 private:
  static constexpr int kBits = kLevel == 1 ? 15 : 17;

  static uint32_t Hash(uint64_t bytes) { return Hash5<kBits>(bytes); }
  static uint32_t Bucket(const Block& block, uint32_t index) {
    return Hash(Load64(block.bytes + index));
  }
  // Where a position is put that goes to another bucket than its own: at level 1 that of the
  // position before, at level 2 that of four bytes and a zero.
  static uint32_t OddBucket(const Block& block, uint32_t index) {
    if constexpr (kLevel == 1) return index == 0 ? 0 : Bucket(block, index - 1);
    return Hash(Load32(block.bytes + index));
  }

  // Finds the next match. False at the end of the block.
  bool Search(Parse& parse) {
    const Parse walk = parse;  // a copy that no store into a table can change
    uint32_t at = walk.at;
    for (;;) {
      uint32_t& entry = table_[Hash(walk.Bytes(at))];
      uint32_t next = at + 2 + ((at - walk.emitted) >> 5);
      if (next > walk.limit) return false;
      uint32_t distance = walk.Distance(at, entry);
      entry = walk.Position(at);
      uint32_t& ahead = table_[Hash(walk.Bytes(next))];
      if (distance < kMaxDistance && walk.SameFour(at, distance)) {
        ahead = walk.Position(next);
        return Found(parse, at, next, distance);
      }
      at = next++;
      distance = walk.Distance(at, ahead);
      ahead = walk.Position(at);
      if (distance < kMaxDistance && walk.SameFour(at, distance)) {
        if constexpr (kLevel == 1) ahead = walk.Position(next);
        return Found(parse, at, next, distance);
      }
      at = next;
    }
  }

  static bool Found(Parse& parse, uint32_t at, uint32_t next, uint32_t distance) {
    parse.at = at;
    parse.next = next;
    parse.distance = distance;
    return true;
  }

  // Some positions inside the match that ends at parse.at.
  void InsertMatched(Parse& parse, uint32_t length) {
    for (uint32_t i = parse.at - length + 2; i + 5 < parse.at; i += 7) {
      const uint64_t bytes = parse.Bytes(i);
      table_[Hash(bytes)] = parse.Position(i);
      table_[Hash(bytes >> 16)] = parse.Position(i + 2);
      table_[Hash(bytes >> 32)] = parse.Position(i + 4);  // a zero where the fifth byte was
    }
  }

  // Whether a match follows right behind the last one.
  bool FollowOn(Parse& parse) {
    table_[Hash(parse.Bytes(parse.at - 2))] = parse.Position(parse.at - 2);
    if constexpr (kLevel == 2) {
      table_[Hash(parse.Bytes(parse.at - 1))] = parse.Position(parse.at - 1);
    }
    uint32_t& entry = table_[Hash(parse.Bytes(parse.at))];
    parse.distance = parse.Distance(parse.at, entry);
    entry = parse.Position(parse.at);
    if (parse.distance <= kMaxDistance && parse.SameFour(parse.at, parse.distance)) return true;
    ++parse.at;
    return false;
  }

  HashTable<uint32_t, kBits> table_;
};

}  // namespace

std::unique_ptr<MatchFinder> NewLevel1() { return std::make_unique<SingleEntryFinder<1>>(); }
std::unique_ptr<MatchFinder> NewLevel2() { return std::make_unique<SingleEntryFinder<2>>(); }

}  // namespace varve::klauspost
