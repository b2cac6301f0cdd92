// Level 4: single positions under a short and under a long hash.
#include "storage/deflate/klauspost/hash_table.h"
#include "storage/deflate/klauspost/levels.h"
#include "storage/deflate/klauspost/parse.h"

namespace varve::klauspost {
namespace {

class Level4Finder final : public MatchFinder {
 public:
  explicit Level4Finder(bool misplaced) : misplaced_(misplaced) {}

  void Find(const Block& block, Tokens& tokens) override {
    if (block.end - block.begin < kMinBlockBytes) return;
    Parse parse(block, tokens);
    while (Search(parse)) {
      parse.Take(parse.FullLength(parse.at, parse.distance));
      if (parse.at >= parse.limit) {
        if (parse.at + 8 < parse.end) InsertBoth(parse, parse.at);
        break;
      }
      for (uint32_t i = parse.next; i + 1 < parse.at; i += 3) {
        Long(parse, i) = parse.Position(i);
        InsertBoth(parse, i + 1);
      }
      InsertBoth(parse, parse.at - 1);
    }
    parse.Finish();
  }

  void Forget(uint32_t position) override {
    short_.Forget(position);
    long_.Forget(position);
  }

  void AppendState(const Block& block, std::string& state) const override {
    AppendLivePositions(
        block, [&](uint32_t i) { return short_[Hash4<kBits>(Load64(block.bytes + i))]; }, state);
    AppendLivePositions(
        block, [&](uint32_t i) { return long_[Hash7<kBits>(Load64(block.bytes + i))]; }, state);
  }

  bool ReadState(const Block& block, ByteReader& state) override {
    return ReadLivePositions(
               block,
               [&](uint32_t i) -> uint32_t& {
                 return short_[Hash4<kBits>(Load64(block.bytes + i))];
               },
               state) &&
           ReadLivePositions(
               block,
               [&](uint32_t i) -> uint32_t& {
                 return long_[Hash7<kBits>(Load64(block.bytes + i))];
               },
               state);
  }

 private:
  static constexpr int kBits = 15;

  uint32_t& Short(const Parse& parse, uint32_t index) {
    return short_[Hash4<kBits>(parse.Bytes(index))];
  }
  uint32_t& Long(const Parse& parse, uint32_t index) {
    return long_[Hash7<kBits>(parse.Bytes(index))];
  }
  void InsertBoth(const Parse& parse, uint32_t index) {
    Short(parse, index) = parse.Position(index);
    Long(parse, index) = parse.Position(index);
  }

  bool Search(Parse& parse) {
    for (uint32_t at = parse.at;; at = parse.next) {
      parse.next = at + 1 + ((at - parse.emitted) >> 6);
      if (parse.next > parse.limit) return false;
      uint32_t& short_entry = Short(parse, at);
      uint32_t& long_entry = Long(parse, at);
      const uint32_t short_distance = parse.Distance(at, short_entry);
      const uint32_t long_distance = parse.Distance(at, long_entry);
      short_entry = parse.Position(at);
      long_entry = parse.Position(at);
      parse.at = at;
      if (long_distance < kMaxDistance && parse.SameFour(at, long_distance)) {
        parse.distance = long_distance;
        return true;
      }
      if (short_distance < kMaxDistance && parse.SameFour(at, short_distance)) {
        parse.distance = short_distance;
        PreferAhead(parse);
        return true;
      }
    }
  }

  // Takes the long match at parse.next instead when it is longer.
  void PreferAhead(Parse& parse) {
    const uint32_t distance = parse.Distance(parse.next, Long(parse, parse.next));
    if (distance >= kMaxDistance || !parse.SameFour(parse.next, distance)) return;
    // The newer epochs take the distance for an index into the history.
    const uint32_t source = misplaced_ ? distance : parse.next - distance;
    const uint32_t length = MatchLength(parse.bytes + parse.next + 4, parse.bytes + source + 4,
                                        parse.end - parse.next - 4) +
                            4;
    if (length <= parse.FullLength(parse.at, parse.distance)) return;
    parse.at = parse.next;
    parse.distance = distance;
  }

  const bool misplaced_;
  HashTable<uint32_t, kBits> short_;
  HashTable<uint32_t, kBits> long_;
};

}  // namespace

std::unique_ptr<MatchFinder> NewLevel4(bool misplaced) {
  return std::make_unique<Level4Finder>(misplaced);
}

}  // namespace varve::klauspost
