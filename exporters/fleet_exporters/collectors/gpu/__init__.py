"""Graphics cards: NVIDIA's by NVML, AMD's and Intel's by sysfs; each maker is a sensor family."""
