"The package as pip sees it: all data comes from settings.ini, the version from cachy/__init__.py."
import re
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

config = ConfigParser(delimiters=['='], interpolation=None)
config.read('settings.ini', encoding='utf-8')
settings = config['DEFAULT']
version = re.search(r"__version__ = ['\"]([^'\"]+)", Path(settings['lib_path'], '__init__.py').read_text(encoding='utf-8'))[1]
readme = Path('README.md').read_text(encoding='utf-8')
statuses = ['1 - Planning', '2 - Pre-Alpha', '3 - Alpha', '4 - Beta', '5 - Production/Stable']
minor = int(settings['min_python'].split('.')[1])

setup(
    version=version, description=settings['description'], keywords=settings['keywords'],
    author=settings['author'], license_expression=settings['license'],
    long_description=readme.replace('](nbs/', '](https://github.com/AnswerDotAI/cachy/blob/main/nbs/'), long_description_content_type='text/markdown',
    packages=find_packages(include=[settings['lib_path'] + '*']), package_data={settings['lib_path']: ['py.typed']},
    python_requires='>=' + settings['min_python'],
    install_requires=settings['requirements'].split(),
    extras_require={name: settings[f"{name.replace('-', '_')}_requirements"].split() for name in ('redis', 's3', 'vcr', 'prices', 'dev', 'dev-other')},
    entry_points={'console_scripts': settings['console_scripts'].split(), 'pytest11': settings['pytest_plugins'].split(), 'nbdev': [f"{settings['lib_path']}={settings['lib_path']}._modidx:d"]},
    classifiers=[f"Development Status :: {statuses[int(settings['status']) - 1]}", f"Intended Audience :: {settings['audience']}"]
        + [f'Programming Language :: Python :: 3.{n}' for n in range(minor, 14)],
)
