#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "wire/elf/image.h"

// Bytes as a program or shared library. What is checked beside crashes: every name that is handed out lies inside of
// the file, and a refusal says why.

namespace isthmus::wire::elf {
namespace {

void use(Bytes file, std::string_view name) {
  if (name.empty()) return;
  auto* begin = reinterpret_cast<const char*>(file.data());
  if (name.data() < begin || name.data() + name.size() > begin + file.size() || memchr(name.data(), 0, name.size()))
    abort();
}

void use(Bytes file, const Image& image) {
  for (auto name : {image.interpreter, image.soname, image.rpath, image.runpath}) use(file, name);
  for (auto name : image.needed) use(file, name);
  for (auto name : image.defined_versions) use(file, name);
  for (auto& v : image.needed_versions)
    for (auto name : {v.library, v.version}) use(file, name);
  for (auto& i : image.imports)
    for (auto name : {i.name, i.version, i.library}) use(file, name);
  for (auto& e : image.exports)
    for (auto name : {e.name, e.version}) use(file, name);
}

}  // namespace
}  // namespace isthmus::wire::elf

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isthmus;
  Bytes file(reinterpret_cast<const std::byte*>(data), size);
  auto image = wire::elf::read_image(file);
  if (image)
    wire::elf::use(file, *image);
  else if (image.problem().what.empty())
    abort();
  return 0;
}
