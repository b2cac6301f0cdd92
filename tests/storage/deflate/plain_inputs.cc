#include "tests/storage/deflate/plain_inputs.h"

#include <algorithm>
#include <array>

namespace varve {
namespace {

// SplitMix64: std::mt19937 is as fixed, but the distributions over it are not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t value = state_;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }
  // Below `limit`.
  size_t Below(size_t limit) { return Next() % limit; }
  // Below `limit`, small ones more often.
  size_t Small(size_t limit) { return Below(Below(limit) + 1); }

 private:
  uint64_t state_;
};

}  // namespace

std::string Noise(size_t size, uint64_t seed) {
  Dice dice(seed);
  std::string made(size, '\0');
  for (char& byte : made) byte = static_cast<char>(dice.Next() & 0xff);
  return made;
}

std::string Skewed(size_t size, uint64_t seed) {
  Dice dice(seed);
  std::string made(size, '\0');
  for (char& byte : made) byte = static_cast<char>(dice.Small(dice.Small(256) + 1));
  return made;
}

std::string Words(size_t size, uint64_t seed) {
  constexpr size_t kVocabulary = 3000;
  Dice dice(seed);
  std::vector<std::string> words;
  for (size_t i = 0; i < kVocabulary; ++i) {
    std::string word;
    for (size_t length = 1 + dice.Small(12); length > 0; --length) {
      word.push_back("etaoinshrdlucmfwypvbgkqjxz"[dice.Small(26)]);
    }
    words.push_back(word);
  }
  std::string made;
  while (made.size() < size) {
    made += words[dice.Small(kVocabulary)];
    made += dice.Below(12) == 0 ? ".\n" : " ";
  }
  made.resize(size);
  return made;
}

std::string Records(size_t size, uint64_t seed) {
  Dice dice(seed);
  std::string made;
  uint64_t address = dice.Next();
  while (made.size() < size) {
    address += dice.Small(4096);
    for (int byte = 0; byte < 6; ++byte) made.push_back(static_cast<char>(address >> (8 * byte)));
    made.push_back(static_cast<char>(dice.Small(40)));
    for (size_t more = dice.Small(9); more > 0; --more) {
      made.push_back(static_cast<char>(dice.Below(3) == 0 ? dice.Below(256) : 0x48));
    }
  }
  made.resize(size);
  return made;
}

std::string Mixed(size_t size, uint64_t seed) {
  Dice dice(seed);
  std::string made;
  while (made.size() < size) {
    const size_t piece = 1 + dice.Small(dice.Below(8) == 0 ? 60000 : 4000);
    switch (dice.Below(8)) {
      case 0:
        made += Noise(piece, dice.Next());
        break;
      case 1:
        made += Skewed(piece, dice.Next());
        break;
      case 2:
        made += Records(piece, dice.Next());
        break;
      case 3:
        made.append(piece, '\0');
        break;
      case 4:
        made += Words(piece, dice.Below(4));
        break;
      default: {
        const size_t back = std::min(made.size(), 1 + dice.Small(70000));
        made += made.substr(made.size() - back, std::min<size_t>(piece, 4 + dice.Small(900)));
      }
    }
  }
  made.resize(size);
  return made;
}

std::vector<std::string> ThresholdInputs() {
  std::vector<std::string> inputs;
  for (const size_t size :
       std::to_array<size_t>({0, 1, 12, 13, 17, 32, 33, 127, 128, 129, 249, 250, 1024, 1025})) {
    inputs.push_back(Words(size, 1));
    inputs.push_back(Records(size, 2));
    inputs.push_back(Mixed(size, size));
  }
  inputs.push_back(Words(65535, 3));
  inputs.push_back(Noise(131072 + 40000, 4));
  inputs.push_back(Skewed(65535 + 100, 5));
  inputs.push_back(Records(2 * 65535 + 13, 6));
  inputs.push_back(Mixed(131072, 7));
  inputs.push_back(std::string(131073, 'z'));
  inputs.push_back(Mixed(262144 + 20, 8));
  inputs.push_back(Mixed(400000, 9));
  // What is seen in the second 32 KiB only.
  inputs.push_back(Words(32768, 10) + Records(30000, 11));
  return inputs;
}

}  // namespace varve
