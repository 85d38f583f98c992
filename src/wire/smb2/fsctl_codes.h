#pragma once
#include <cstdint>

/// Control codes of IOCTL (section 2.2.31, MS-FSCC section 2.3).
namespace isthmus::smb2 {

constexpr uint32_t kFsctlDfsGetReferrals = 0x00060194;
constexpr uint32_t kFsctlDfsGetReferralsEx = 0x000601B0;
constexpr uint32_t kFsctlPipePeek = 0x0011400C;
constexpr uint32_t kFsctlPipeWait = 0x00110018;
constexpr uint32_t kFsctlPipeTransceive = 0x0011C017;
constexpr uint32_t kFsctlSrvCopychunk = 0x001440F2;
constexpr uint32_t kFsctlSrvCopychunkWrite = 0x001480F2;
constexpr uint32_t kFsctlSrvEnumerateSnapshots = 0x00144064;
constexpr uint32_t kFsctlSrvRequestResumeKey = 0x00140078;
constexpr uint32_t kFsctlSrvReadHash = 0x001441BB;
constexpr uint32_t kFsctlLmrRequestResiliency = 0x001401D4;
constexpr uint32_t kFsctlQueryNetworkInterfaceInfo = 0x001401FC;
constexpr uint32_t kFsctlValidateNegotiateInfo = 0x00140204;
constexpr uint32_t kFsctlIsPathnameValid = 0x0009002C;
constexpr uint32_t kFsctlGetCompression = 0x0009003C;
constexpr uint32_t kFsctlSetCompression = 0x0009C040;
constexpr uint32_t kFsctlFilesystemGetStatistics = 0x00090060;
constexpr uint32_t kFsctlGetNtfsVolumeData = 0x00090064;
constexpr uint32_t kFsctlGetRetrievalPointers = 0x00090073;
constexpr uint32_t kFsctlSetObjectId = 0x00090098;
constexpr uint32_t kFsctlGetObjectId = 0x0009009C;
constexpr uint32_t kFsctlDeleteObjectId = 0x000900A0;
constexpr uint32_t kFsctlCreateOrGetObjectId = 0x000900C0;
constexpr uint32_t kFsctlSetReparsePoint = 0x000900A4;
constexpr uint32_t kFsctlGetReparsePoint = 0x000900A8;
constexpr uint32_t kFsctlDeleteReparsePoint = 0x000900AC;
constexpr uint32_t kFsctlSetSparse = 0x000900C4;
constexpr uint32_t kFsctlSetZeroData = 0x000980C8;
constexpr uint32_t kFsctlQueryAllocatedRanges = 0x000940CF;
constexpr uint32_t kFsctlReadFileUsnData = 0x000900EB;
constexpr uint32_t kFsctlQueryOnDiskVolumeInfo = 0x0009013C;
constexpr uint32_t kFsctlFileLevelTrim = 0x00098208;
constexpr uint32_t kFsctlOffloadRead = 0x00094264;
constexpr uint32_t kFsctlOffloadWrite = 0x00098268;
constexpr uint32_t kFsctlGetIntegrityInformation = 0x0009027C;
constexpr uint32_t kFsctlSetIntegrityInformation = 0x0009C280;
constexpr uint32_t kFsctlQueryFileRegions = 0x00090284;
constexpr uint32_t kFsctlDuplicateExtentsToFile = 0x00098344;
constexpr uint32_t kFsctlDuplicateExtentsToFileEx = 0x000983E8;

}  // namespace isthmus::smb2
