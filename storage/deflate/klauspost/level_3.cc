// Level 3: a table of two positions a bucket.
#include "storage/deflate/klauspost/hash_table.h"
#include "storage/deflate/klauspost/levels.h"
#include "storage/deflate/klauspost/parse.h"

namespace varve::klauspost {
namespace {

class Level3Finder final : public MatchFinder {
 public:
  void Find(const Block& block, Tokens& tokens) override {
    if (block.end - block.begin < kMinBlockBytes) return;
    Parse parse(block, tokens);
    while (Search(parse)) {
      do {
        const uint32_t length = parse.Take(parse.FullLength(parse.at, parse.distance));
        if (parse.at >= parse.limit) {
          InsertSource(parse);
          return parse.Finish();
        }
        InsertMatched(parse, length);
      } while (FollowOn(parse));
    }
    parse.Finish();
  }

  void Forget(uint32_t position) override { table_.Forget(position); }

  void AppendState(const Block& block, std::string& state) const override {
    AppendLivePositions(
        block, [&](uint32_t i) { return table_[Bucket(block, i)].current; }, state);
    AppendLivePositions(
        block, [&](uint32_t i) { return table_[Bucket(block, i)].previous; }, state);
  }

  bool ReadState(const Block& block, ByteReader& state) override {
    return ReadLivePositions(
               block, [&](uint32_t i) -> uint32_t& { return table_[Bucket(block, i)].current; },
               state) &&
           ReadLivePositions(
               block, [&](uint32_t i) -> uint32_t& { return table_[Bucket(block, i)].previous; },
               state);
  }

 private:
  static constexpr int kBits = 16;
  // So that four bytes more are within reach too.
  static constexpr uint32_t kReach = kMaxDistance - 4;

  static uint32_t Bucket(const Block& block, uint32_t index) {
    return Hash5<kBits>(Load64(block.bytes + index));
  }
  Pair& At(const Parse& parse, uint32_t index) { return table_[Hash5<kBits>(parse.Bytes(index))]; }
  void Insert(const Parse& parse, uint32_t index) { At(parse, index).Push(parse.Position(index)); }

  bool Search(Parse& parse) {
    for (uint32_t at = parse.at;; at = parse.next) {
      Pair& bucket = At(parse, at);
      parse.next = at + 1 + ((at - parse.emitted) >> 7);
      if (parse.next > parse.limit) return false;
      const uint32_t current = parse.Distance(at, bucket.current);
      const uint32_t previous = parse.Distance(at, bucket.previous);
      bucket.Push(parse.Position(at));
      if (current > kReach) continue;
      parse.at = at;
      if (parse.SameFour(at, current)) {
        parse.distance = current;
        if (previous <= kReach && parse.SameFour(at, previous) &&
            parse.FullLength(at, previous) > parse.FullLength(at, current)) {
          parse.distance = previous;
        }
        return true;
      }
      if (previous < kReach && parse.SameFour(at, previous)) {
        parse.distance = previous;
        return true;
      }
    }
  }

  // The end of what the last match of the block repeated.
  void InsertSource(const Parse& parse) {
    const uint32_t source = parse.emitted - parse.distance;
    if (source + 8 < parse.end && source > 0) Insert(parse, source);
  }

  void InsertMatched(const Parse& parse, uint32_t length) {
    for (uint32_t i = parse.at - length + 2; i + 5 < parse.at; i += 6) Insert(parse, i);
    Insert(parse, parse.at - 2);
    Insert(parse, parse.at - 1);
  }

  bool FollowOn(Parse& parse) {
    Pair& bucket = At(parse, parse.at);
    const uint32_t current = parse.Distance(parse.at, bucket.current);
    const uint32_t previous = parse.Distance(parse.at, bucket.previous);
    bucket.Push(parse.Position(parse.at));
    if (current < kReach) {
      for (const uint32_t distance : {current, previous}) {
        if (distance >= kReach || !parse.SameFour(parse.at, distance)) continue;
        parse.distance = distance;
        return true;
      }
    }
    ++parse.at;
    return false;
  }

  HashTable<Pair, kBits> table_;
};

}  // namespace

std::unique_ptr<MatchFinder> NewLevel3() { return std::make_unique<Level3Finder>(); }

}  // namespace varve::klauspost
