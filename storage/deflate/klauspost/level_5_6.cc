// Levels 5 and 6: single positions under a short hash, two a bucket under a long one, and a look at
// the end of a match for a longer one.
#include "storage/deflate/klauspost/hash_table.h"
#include "storage/deflate/klauspost/levels.h"
#include "storage/deflate/klauspost/parse.h"

namespace varve::klauspost {
namespace {

template <int kLevel>
class TwoTableFinder final : public MatchFinder {
 public:
  void Find(const Block& block, Tokens& tokens) override {
    if (block.end - block.begin < kMinBlockBytes) return;
    Parse parse(block, tokens);
    repeat_ = 1;
    uint32_t length = 0;
    while (Search(parse, length)) {
      if (length == 0 || length == kMaxMatchBytes) {
        length = parse.FullLength(parse.at, parse.distance);
      }
      length = LookAtEnd(parse, length);
      length = parse.Take(length);
      repeat_ = parse.distance;
      if (parse.at >= parse.limit) {
        if constexpr (kLevel == 6) InsertRest(parse);
        break;
      }
      InsertMatched(parse, length);
    }
    parse.Finish();
  }

  void Forget(uint32_t position) override {
    short_.Forget(position);
    long_.Forget(position);
  }

  void AppendState(const Block& block, std::string& state) const override {
    AppendLivePositions(
        block, [&](uint32_t i) { return short_[ShortHash(Load64(block.bytes + i))]; }, state);
    AppendLivePositions(
        block, [&](uint32_t i) { return long_[LongHash(Load64(block.bytes + i))].current; }, state);
    AppendLivePositions(
        block, [&](uint32_t i) { return long_[LongHash(Load64(block.bytes + i))].previous; },
        state);
  }

  bool ReadState(const Block& block, ByteReader& state) override {
    const auto short_entry = [&](uint32_t i) -> uint32_t& {
      return short_[ShortHash(Load64(block.bytes + i))];
    };
    const auto current = [&](uint32_t i) -> uint32_t& {
      return long_[LongHash(Load64(block.bytes + i))].current;
    };
    const auto previous = [&](uint32_t i) -> uint32_t& {
      return long_[LongHash(Load64(block.bytes + i))].previous;
    };
    return ReadLivePositions(block, short_entry, state) &&
           ReadLivePositions(block, current, state) && ReadLivePositions(block, previous, state);
  }

 private:
  static constexpr int kBits = 15;
  static constexpr int kSkipShift = kLevel == 5 ? 6 : 7;
  // A longer match at level 5 is good enough not to look at its end.
  static constexpr uint32_t kGoodLength = 30;
  // Bytes at the front of a match that the look at its end does not ask for.
  static constexpr uint32_t kSkippedBytes = 2;

  static uint32_t ShortHash(uint64_t bytes) { return Hash4<kBits>(bytes); }
  static uint32_t LongHash(uint64_t bytes) { return Hash7<kBits>(bytes); }
  void InsertShort(const Parse& parse, uint32_t index) {
    short_[ShortHash(parse.Bytes(index))] = parse.Position(index);
  }
  void InsertLong(const Parse& parse, uint32_t index) {
    long_[LongHash(parse.Bytes(index))].Push(parse.Position(index));
  }

  // Finds the next match. `length` is 0 when it was not measured, and capped when it was. False at
  // the end of the block.
  bool Search(Parse& parse, uint32_t& length) {
    length = 0;
    const Parse walk = parse;  // a copy that no store into a table can change
    uint32_t at = walk.at;
    uint64_t bytes = walk.Bytes(at);
    uint32_t short_hash = ShortHash(bytes);
    uint32_t long_hash = LongHash(bytes);
    for (;;) {
      const uint32_t next = at + 1 + ((at - walk.emitted) >> kSkipShift);
      if (next > walk.limit) return false;
      const uint32_t short_distance = walk.Distance(at, short_[short_hash]);
      const uint32_t current = walk.Distance(at, long_[long_hash].current);
      const uint32_t previous = walk.Distance(at, long_[long_hash].previous);
      short_[short_hash] = walk.Position(at);
      long_[long_hash].Push(walk.Position(at));
      bytes = walk.Bytes(next);
      short_hash = ShortHash(bytes);
      long_hash = LongHash(bytes);
      if (current < kMaxDistance) {
        const bool current_hits = walk.SameFour(at, current);
        const bool previous_hits = previous < kMaxDistance && walk.SameFour(at, previous);
        if (current_hits || previous_hits) {
          parse.at = at;
          parse.next = next;
          parse.distance = current_hits ? current : previous;
          if (current_hits && previous_hits) length = LongerOf(parse, previous);
          InsertNext(parse, short_hash, long_hash);
          return true;
        }
      }
      if (short_distance < kMaxDistance && walk.SameFour(at, short_distance)) {
        parse.at = at;
        parse.next = next;
        parse.distance = short_distance;
        length = parse.CappedLength(at, short_distance);
        const Pair ahead = long_[long_hash];
        InsertNext(parse, short_hash, long_hash);
        length = PreferAhead(parse, ahead, length);
        return true;
      }
      at = next;
    }
  }

  void InsertNext(const Parse& parse, uint32_t short_hash, uint32_t long_hash) {
    short_[short_hash] = parse.Position(parse.next);
    long_[long_hash].Push(parse.Position(parse.next));
  }

  // Of the match found and the one at `other`; the first on a tie.
  static uint32_t LongerOf(Parse& parse, uint32_t other) {
    const uint32_t length = parse.CappedLength(parse.at, parse.distance);
    const uint32_t other_length = parse.CappedLength(parse.at, other);
    if (other_length <= length) return length;
    parse.distance = other;
    return other_length;
  }

  // Takes the match of `distance` at `index` when it is longer than `length`.
  static bool TakeIfLonger(Parse& parse, uint32_t index, uint32_t distance, uint32_t& length) {
    if (!parse.SameFour(index, distance)) return false;
    const uint32_t other_length = parse.CappedLength(index, distance);
    if (other_length <= length) return false;
    parse.at = index;
    parse.distance = distance;
    length = other_length;
    return true;
  }

  // A longer match a little later than the one of the short hash; `ahead` is the bucket of
  // parse.next. Returns the length of what is taken.
  uint32_t PreferAhead(Parse& parse, const Pair& ahead, uint32_t length) {
    if constexpr (kLevel == 6) {
      if (TakeIfLonger(parse, parse.at + 1, repeat_, length)) return length;
    }
    const uint32_t current = parse.Distance(parse.next, ahead.current);
    const uint32_t previous = parse.Distance(parse.next, ahead.previous);
    if (current >= kMaxDistance) return length;
    const bool taken = TakeIfLonger(parse, parse.next, current, length);
    if (taken && kLevel == 5) return length;
    if (previous < kMaxDistance) TakeIfLonger(parse, parse.next, previous, length);
    return length;
  }

  // What was seen with the bytes right behind the match may be longer if it is moved to the match's
  // begin but for the first bytes. Returns the length of what is taken.
  uint32_t LookAtEnd(Parse& parse, uint32_t length) {
    const uint32_t at = parse.at;
    if (at + length >= parse.limit || (kLevel == 5 && length >= kGoodLength)) return length;
    const Pair& bucket = long_[LongHash(parse.Bytes(at + length))];
    const uint32_t current = parse.Distance(at + length, bucket.current);
    if constexpr (kLevel == 6) {
      // An entry may be ahead, where the search looked before.
      const bool is_ahead = static_cast<int32_t>(current) <= 0;
      if (!is_ahead && current >= kMaxDistance) return length;
    }
    TakeBehind(parse, at, current, length);
    if constexpr (kLevel == 6) {
      TakeBehind(parse, at, parse.Distance(at + length, bucket.previous), length);
    }
    return length;
  }

  static void TakeBehind(Parse& parse, uint32_t at, uint32_t distance, uint32_t& length) {
    const uint32_t index = at + kSkippedBytes;
    if (distance == 0 || distance >= kMaxDistance || distance > index) return;
    const uint8_t* from = parse.bytes + index;
    const uint32_t other_length = MatchLength(from, from - distance, parse.end - index);
    if (other_length <= length) return;
    parse.at = index;
    parse.distance = distance;
    length = other_length;
  }

  void InsertMatched(const Parse& parse, uint32_t length) {
    if constexpr (kLevel == 6) {
      for (uint32_t i = parse.next + 1; i + 1 < parse.at; i += 2) {
        InsertShort(parse, i);
        InsertLong(parse, i);
        InsertLong(parse, i + 1);
      }
      return;
    }
    uint32_t i = parse.at - length + 1;
    if (i + 1 < parse.at) {
      InsertShort(parse, i);
      InsertLong(parse, i);
      InsertLong(parse, i + 1);
      InsertShort(parse, i + 2);
      for (i += 4; i + 1 < parse.at; i += 3) {
        InsertLong(parse, i);
        InsertShort(parse, i + 1);
      }
    }
    InsertShort(parse, parse.at - 1);
    InsertLong(parse, parse.at - 1);
  }

  // What the last match of the block leaves.
  void InsertRest(const Parse& parse) {
    for (uint32_t i = parse.next + 1; i + 8 < parse.end; i += 2) {
      InsertShort(parse, i);
      InsertLong(parse, i);
    }
  }

  uint32_t repeat_ = 1;  // the distance of the block's last match
  HashTable<uint32_t, kBits> short_;
  HashTable<Pair, kBits> long_;
};

}  // namespace

std::unique_ptr<MatchFinder> NewLevel5() { return std::make_unique<TwoTableFinder<5>>(); }
std::unique_ptr<MatchFinder> NewLevel6() { return std::make_unique<TwoTableFinder<6>>(); }

}  // namespace varve::klauspost
